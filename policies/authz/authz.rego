# METADATA
# description: |
#   Who may do what. The tables of rights stand in a file beside this one; what they do not grant
#   is denied, and so is whatever a question leaves out.
# schemas:
#   - input: schema.authz
package authz

import data.authz.rights

# METADATA
# description: |
#   May this principal do this operation, why (not), and which records may it touch? An answer that
#   is undefined is an error to whoever asks.
# entrypoint: true
decision := {"allow": true, "reason": reason, "rows": _rows} if {
	count(_objections) == 0
	reason := sprintf("%s: granted to %s", [input.operation, concat(", ", _granting)])
} else := {"allow": false, "reason": concat("; ", _objections), "rows": _no_rows}

_objections contains "no role of this principal grants it" if count(_granting) == 0

_objections contains "the API key is not for this operation" if not _within_key

_objections contains "only a person may do it, not an API key" if not _done_by_fitting_kind

_objections contains "whoever made it needs somebody else to do this" if not _seen_by_other_eyes

# Roles that grant the operation. Everybody is one, held by whoever has proven who they are.
_granting contains "everybody" if {
	input.principal.subject != ""
	some task in rights.everybody
	input.operation in rights.tasks[task]
}

_granting contains role if {
	input.principal.subject != ""
	some role in input.principal.roles
	_fits_method(role)
	some task in rights.roles[role].tasks
	input.operation in rights.tasks[task]
}

# Whoever changes nothing is held to it, even where a table or a route is wrong.
_fits_method(role) if not role in rights.reading_roles

_fits_method(_) if input.method in rights.reading_methods

_fits_method(_) if input.operation in rights.reading_operations

_within_key if is_null(input.principal.operations)

_within_key if input.operation in input.principal.operations

# Whoever may make API keys could give one any role, and approve through it.
_done_by_fitting_kind if not input.operation in rights.persons_only

_done_by_fitting_kind if input.principal.kind == "person"

_seen_by_other_eyes if not input.operation in rights.other_eyes

# No author: nobody's work is looked at yet. The use case asks again when it knows whose it is.
_seen_by_other_eyes if is_null(input.author)

_seen_by_other_eyes if {
	is_string(input.author)
	input.author != input.principal.subject
}

# Only roles that grant the operation open rows for it.
_rows := {
	"all": "all" in _kinds_of_rows,
	"departments": [department |
		"departments" in _kinds_of_rows
		some department in input.principal.departments
	],
	"reader_roles": [role |
		"readers" in _kinds_of_rows
		some role in input.principal.reader_roles
	],
	"public": "readers" in _kinds_of_rows,
}

_kinds_of_rows contains kind if {
	some role in _granting
	kind := rights.roles[role].rows
}

_no_rows := {"all": false, "departments": [], "reader_roles": [], "public": false}
