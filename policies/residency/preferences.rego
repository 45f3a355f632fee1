package residency

import data.facts.site
import data.report
import data.thresholds

# METADATA
# title: residency.prefer_eea_parent
# description: Operators whose ultimate parent is in the EEA are preferred.
preferences contains report.preference(rego.metadata.rule(), message) if {
	site.external
	not site.parent_in_eea
	message := sprintf("the operator's parent jurisdiction is %v", [
		report.shown(input.site.operator, "parent_jurisdiction"),
	])
}

# METADATA
# title: residency.prefer_higher_seal
# description: A sovereignty level above the minimum is preferred.
preferences contains report.preference(rego.metadata.rule(), message) if {
	site.external
	preferred := thresholds.preferences.seal_preferred_by_confidentiality[input.dataset.confidentiality]
	not _sealed(preferred)
	message := sprintf("SEAL is %v; %v is preferred", [report.shown(input.site, "seal_level"), preferred])
}

# METADATA
# title: residency.prefer_home_country
# description: Data rests near the people who use it.
preferences contains report.preference(rego.metadata.rule(), message) if {
	not _at_home
	message := sprintf("the site is in %v", [report.shown(input.site, "country")])
}

_at_home if input.site.country in thresholds.countries.home
