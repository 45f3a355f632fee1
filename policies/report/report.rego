# METADATA
# description: How a rule's own METADATA becomes what it reports.
package report

# METADATA
# description: |
#   A violation of the obligation that the rule's METADATA states. A rule whose METADATA is
#   incomplete still reports, in a form that the engine refuses: losing the violation would make
#   the pair eligible by accident.
violation(rule, message) := reported if {
	reported := {
		"obligation": rule.title,
		"text": rule.description,
		"severity": rule.custom.severity,
		"sources": rule.related_resources,
		"message": message,
	}
} else := {
	"obligation": "report.incomplete_metadata",
	"text": "Every rule states its title, description, sources and severity.",
	"severity": "mandatory",
	"sources": [],
	"message": message,
}

# METADATA
# description: What the host must do for the dataset; the detail completes the rule's description.
host_obligation(rule, detail) := {
	"code": rule.title,
	"requirement": concat("", [rule.description, detail]),
}

# METADATA
# description: A soft rule that the pair does not meet, with its weight from the thresholds.
preference(rule, message) := {
	"code": rule.title,
	"message": message,
	"penalty_eur_per_year": data.thresholds.preferences.penalty_eur_per_year[rule.title],
}

# METADATA
# description: |
#   An attribute as messages show it. An absent one must not leave a message undefined, because
#   the violation would vanish with it.
shown(described, attribute) := value if {
	value := object.get(described, attribute, null)
	not is_null(value)
} else := "not stated"

# METADATA
# description: A role with its clearance, in words.
clearance_of(role) := sprintf("%v (clearance: %v)", [shown(role, "id"), shown(role, "clearance")])

# METADATA
# description: A role with the country its people work from, in words.
country_of(role) := sprintf("%v (country: %v)", [shown(role, "id"), shown(role, "country")])
