# METADATA
# description: How a rule's own METADATA becomes what it reports.
package report

# METADATA
# description: |
#   A violation of the obligation that the rule's METADATA states. A rule with incomplete METADATA
#   still reports: losing a violation would make a pair eligible by accident.
violation(rule, message) := {
	"obligation": object.get(rule, "title", "report.untitled"),
	"text": object.get(rule, ["custom", "obligation"], object.get(rule, "description", "")),
	"severity": object.get(rule, ["custom", "severity"], "mandatory"),
	"sources": [source |
		some resource in object.get(rule, "related_resources", [])
		source := {"description": object.get(resource, "description", ""), "ref": resource.ref}
	],
	"message": message,
}

# METADATA
# description: What the host must do for the dataset, as the rule's METADATA states it.
host_obligation(rule, details) := {
	"code": rule.title,
	"requirement": sprintf("%s%s", [trim_space(rule.description), details]),
}

# METADATA
# description: A soft rule that the pair does not meet, with its weight from the thresholds.
preference(rule, message, penalty_eur_per_year) := {
	"code": rule.title,
	"message": message,
	"penalty_eur_per_year": penalty_eur_per_year,
}

# METADATA
# description: |
#   The value as messages show it. An absent attribute must not make a message undefined,
#   because the violation would vanish with it.
shown(value) := "not stated" if is_null(value)

shown(value) := value if not is_null(value)
