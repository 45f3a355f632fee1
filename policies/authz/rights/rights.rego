# METADATA
# description: |
#   The tables of rights that data.authz.decision reads; what they do not grant is denied.
package authz.rights

# METADATA
# description: What somebody does with the service. Each operation stands in one task.
tasks := {
	"see_sites": ["sites.list", "sites.read", "operators.list", "operators.read"],
	"see_datasets": ["datasets.list", "datasets.read"],
	"see_catalogue": [
		"relations.list",
		"relations.read",
		"roles.list",
		"roles.read",
		"contracts.list",
		"contracts.read",
		"parameters.read",
		"procurement.clauses",
	],
	"see_snapshots": ["catalogs.list", "catalogs.read"],
	"see_placements": [
		"placements.list",
		"placements.read",
		"placements.explain",
		"placements.list_reports",
	],
	"see_decisions": [
		"decisions.list",
		"decisions.read",
		"decisions.plan",
		"decisions.diff",
	],
	"follow_decisions": [
		"decisions.answer",
		"decisions.events",
		"what_ifs.read",
		"drills.list",
		"drills.read",
		"jobs.list",
		"jobs.read",
		"jobs.events",
	],
	"see_policies": [
		"policies.list",
		"policies.read",
		"policies.usage",
		"policies.impact",
		"policies.list_drafts",
		"policies.read_draft",
	],
	"see_entities": [
		"entities.list",
		"entities.read",
		"entities.list_types",
		"entities.read_type",
		"entities.list_attributes",
	],
	"see_entity_subscriptions": [
		"entities.list_subscriptions",
		"entities.read_subscription",
	],
	"see_keys": ["keys.list"],
	"see_subscriptions": [
		"subscriptions.list",
		"subscriptions.read",
		"subscriptions.deliveries",
		"events.list",
	],
	"see_audit": ["audit.list", "audit.head", "audit.verify", "audit.export"],
	"see_oneself": ["me.read"],
	"keep_datasets": ["datasets.create", "datasets.update", "datasets.delete"],
	"keep_catalogue": [
		"sites.create",
		"sites.update",
		"sites.delete",
		"operators.create",
		"operators.update",
		"operators.delete",
		"relations.create",
		"relations.update",
		"relations.delete",
		"roles.create",
		"roles.update",
		"roles.delete",
		"contracts.create",
		"contracts.update",
		"contracts.delete",
		"catalogs.import",
		"parameters.update",
	],
	"check": ["checks.ask"],
	"inspect": ["eligibility.read", "verifications.ask", "procurement.report"],
	"decide": [
		"decisions.request",
		"decisions.replay",
		"what_ifs.ask",
		"drills.ask",
		"drills.cancel",
		"jobs.cancel",
	],
	"approve_decisions": ["decisions.approve", "decisions.withdraw"],
	"provision": [
		"decisions.provision",
		"decisions.enforce",
		"placements.report",
		"placements.observe",
	],
	"draft_policies": ["policies.draft", "policies.redraft", "policies.check"],
	"review_policies": ["policies.review"],
	"approve_policies": ["policies.approve", "policies.rollback"],
	"publish_policies": ["policies.publish"],
	"keep_keys": ["keys.create", "keys.revoke"],
	"keep_entity_subscriptions": [
		"entities.subscribe",
		"entities.update_subscription",
		"entities.unsubscribe",
	],
	"keep_subscriptions": [
		"subscriptions.create",
		"subscriptions.update",
		"subscriptions.delete",
		"subscriptions.rotate",
		"subscriptions.redrive",
		"subscriptions.discard",
	],
}

# METADATA
# description: |
#   Soest's data roles: their tasks, and which records these open: all, those of the principal's
#   departments, or those that the principal's catalogue roles read and public ones.
roles := {
	"governance_board": {
		"rows": "all",
		"tasks": [
			"see_sites",
			"see_datasets",
			"see_catalogue",
			"see_snapshots",
			"see_placements",
			"see_entities",
			"see_decisions",
			"follow_decisions",
			"see_policies",
			"inspect",
			"see_keys",
			"see_entity_subscriptions",
			"see_subscriptions",
			"see_audit",
			"approve_decisions",
			"approve_policies",
			"publish_policies",
		],
	},
	"data_management_office": {
		"rows": "all",
		"tasks": [
			"see_sites",
			"see_datasets",
			"see_catalogue",
			"see_snapshots",
			"see_placements",
			"see_entities",
			"see_decisions",
			"follow_decisions",
			"see_policies",
			"inspect",
			"see_keys",
			"see_entity_subscriptions",
			"see_subscriptions",
			"keep_datasets",
			"keep_catalogue",
			"check",
			"decide",
			"keep_keys",
			"keep_entity_subscriptions",
			"keep_subscriptions",
		],
	},
	"data_steward": {
		"rows": "departments",
		"tasks": [
			"see_sites",
			"see_datasets",
			"see_catalogue",
			"see_placements",
			"see_entities",
			"keep_datasets",
			"check",
		],
	},
	"security_reviewer": {
		"rows": "all",
		"tasks": [
			"see_sites",
			"see_datasets",
			"see_catalogue",
			"see_snapshots",
			"see_placements",
			"see_entities",
			"see_decisions",
			"follow_decisions",
			"see_policies",
			"inspect",
			"see_keys",
			"see_entity_subscriptions",
			"see_subscriptions",
			"check",
			"draft_policies",
			"review_policies",
			"publish_policies",
		],
	},
	"data_user": {
		"rows": "readers",
		"tasks": ["see_sites", "see_datasets", "see_placements", "see_entities", "check"],
	},
	"provisioner": {
		"rows": "all",
		"tasks": [
			"see_sites",
			"see_placements",
			"see_entities",
			"see_decisions",
			"see_subscriptions",
			"see_entity_subscriptions",
			"provision",
		],
	},
	"auditor": {
		"rows": "all",
		"tasks": [
			"see_sites",
			"see_datasets",
			"see_catalogue",
			"see_snapshots",
			"see_placements",
			"see_entities",
			"see_decisions",
			"follow_decisions",
			"see_policies",
			"inspect",
			"see_keys",
			"see_entity_subscriptions",
			"see_subscriptions",
			"see_audit",
		],
	},
}

# METADATA
# description: Tasks of everybody who has proven who they are.
everybody := ["see_oneself"]

# METADATA
# description: |
#   Roles that change nothing, whatever else is granted here: they may use reading methods only.
reading_roles := ["auditor"]

# METADATA
# description: Operations that change nothing, though their question is too long for an address.
reading_operations := ["verifications.ask"]

# METADATA
# description: Methods that change nothing.
reading_methods := ["GET", "HEAD"]

# METADATA
# description: |
#   Operations that look at somebody's work: never by whoever made it (four eyes).
other_eyes := [
	"decisions.approve",
	"policies.approve",
	"policies.publish",
	"policies.review",
]

# METADATA
# description: |
#   Operations for people, not for API keys: whoever may make keys could give one any role, and
#   approve through it.
persons_only := [
	"decisions.approve",
	"decisions.withdraw",
	"policies.approve",
	"policies.review",
	"policies.rollback",
]
