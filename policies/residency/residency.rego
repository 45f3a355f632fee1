# METADATA
# description: Where data rests, and whose law reaches it there.
# schemas:
#   - input: schema.input
package residency

import data.facts
import data.report

thresholds := data.thresholds.residency

# METADATA
# title: residency.personal_data_in_safe_country
# description: Personal data rests in the EEA or in a country with an adequacy decision.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 44 and 45 (transfers need an adequate level of protection)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	facts.personal
	not facts.safe(input.site.country)
	message := sprintf("personal data would rest in %v", [report.shown(input.site.country)])
}

# METADATA
# title: residency.special_category_stays_in_eea
# description: Special categories of personal data and criminal data rest inside the EEA.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 9 and 10 (processing under strict conditions only)
#   - ref: https://zoek.officielebekendmakingen.nl/kst-26643-904.html
#     description: Rijksbreed cloudbeleid 2022 (special personal data, requirements 9a to 9c)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	facts.sensitive
	not facts.in_eea(input.site.country)
	message := sprintf("%s data would rest in %v", [
		input.dataset.gdpr_category,
		report.shown(input.site.country),
	])
}
