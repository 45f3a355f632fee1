package security

import data.report
import data.thresholds

# METADATA
# title: security.prefer_on_premise
# description: Highly confidential data preferably stays on-premise (The Hague, data strategy).
preferences contains report.preference(rego.metadata.rule(), message) if {
	threshold := thresholds.preferences.on_premise_preferred_from_confidentiality
	input.dataset.confidentiality >= threshold
	not input.site.kind == "on_premise"
	message := sprintf("confidentiality %v at a site of kind %v", [
		input.dataset.confidentiality,
		report.shown(input.site, "kind"),
	])
}
