# METADATA
# description: |
#   Data that reaches another jurisdiction without moving: through the operator's parent, and
#   through people who work on it from abroad.
# schemas:
#   - input: schema.input
package transfer

import data.facts
import data.report
import data.thresholds

# METADATA
# title: transfer.exposed_operator_holds_no_keys
# description: >-
#   Personal data rests with an operator whom a third country can oblige to hand data over only when
#   the city alone holds the keys.
# related_resources:
#   - ref: https://www.edpb.europa.eu/our-work-tools/our-documents/recommendations/recommendations-012020-measures-supplement-transfer_en
#     description: EDPB Recommendations 01/2020, Annex 2, use case 1 (storage, keys held in the EEA)
#   - ref: https://curia.europa.eu/juris/liste.jsf?num=C-311/18
#     description: CJEU, C-311/18 (Schrems II), 16 July 2020
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	facts.personal
	_exposed
	input.dataset.confidentiality >= thresholds.transfer.city_keys_from_confidentiality
	not input.site.customer_held_keys == true
	message := sprintf("extraterritorial exposure: %v, customer-held keys: %v", [
		report.shown(input.site.operator, "extraterritorial_exposure"),
		report.shown(input.site, "customer_held_keys"),
	])
}

# METADATA
# title: transfer.exposed_operator_excluded
# description: >-
#   Personal data of high confidentiality does not rest with an operator whom a third country can
#   oblige to hand data over.
# related_resources:
#   - ref: https://www.edpb.europa.eu/our-work-tools/our-documents/recommendations/recommendations-012020-measures-supplement-transfer_en
#     description: EDPB Recommendations 01/2020, Annex 2, use case 6 (data in the clear in a cloud)
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 48 (orders of third countries)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	facts.personal
	_exposed
	input.dataset.confidentiality >= thresholds.transfer.exposed_excluded_from_confidentiality
	message := sprintf("extraterritorial exposure: %v, confidentiality %v", [
		report.shown(input.site.operator, "extraterritorial_exposure"),
		input.dataset.confidentiality,
	])
}

# METADATA
# title: transfer.non_personal_data_shielded
# description: >-
#   Confidential data that is not personal is shielded from unlawful access by third countries: the
#   operator is out of their reach, or the city alone holds the keys.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2023/2854/oj
#     description: Data Act, art. 32 (unlawful international governmental access to non-personal data)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	not facts.personal
	_exposed
	input.dataset.confidentiality >= thresholds.transfer.non_personal_shield_from_confidentiality
	not input.site.customer_held_keys == true
	message := sprintf("extraterritorial exposure: %v, customer-held keys: %v", [
		report.shown(input.site.operator, "extraterritorial_exposure"),
		report.shown(input.site, "customer_held_keys"),
	])
}

_exposed if {
	facts.external
	not facts.unexposed
}

# METADATA
# title: transfer.third_country_operator_has_clauses
# description: >-
#   Personal data rests with an operator from a country without an adequacy decision only under
#   standard contractual clauses.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 46(1) and 46(2)(c) (appropriate safeguards)
#   - ref: https://eur-lex.europa.eu/eli/dec_impl/2021/914/oj
#     description: Implementing Decision (EU) 2021/914 (standard contractual clauses)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	facts.personal
	facts.external
	not facts.safe(input.site.operator.country)
	not "standard_contractual_clauses" in input.site.clauses
	message := sprintf("the operator is from %v and there are no standard contractual clauses", [
		report.shown(input.site.operator, "country"),
	])
}

# METADATA
# title: transfer.dataset_used_from_safe_countries
# description: >-
#   People who work with personal data do so from the EEA or a country with an adequacy decision;
#   with special categories and criminal data, from the EEA.
# related_resources:
#   - ref: https://www.edpb.europa.eu/our-work-tools/our-documents/guidelines/guidelines-052021-interplay-between-application-article-3_en
#     description: EDPB Guidelines 05/2021 (remote access from a third country is a transfer)
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 44 (general principle for transfers)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	facts.personal
	elsewhere := {_worker(role) | some role in facts.roles; not _may_work_from(role)}
	count(elsewhere) > 0
	message := sprintf("%v data is used by %v", [
		input.dataset.gdpr_category,
		concat(", ", elsewhere),
	])
}

# METADATA
# title: transfer.site_administered_from_safe_countries
# description: >-
#   People who administer a site with personal data do so from the EEA or a country with an adequacy
#   decision; with special categories and criminal data, from the EEA.
# related_resources:
#   - ref: https://www.edpb.europa.eu/our-work-tools/our-documents/guidelines/guidelines-052021-interplay-between-application-article-3_en
#     description: EDPB Guidelines 05/2021 (remote access from a third country is a transfer)
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 28(3)(a) and 44 (transfers by a processor)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	facts.personal
	elsewhere := {_worker(role) | some role in input.site.administrators; not _may_work_from(role)}
	count(elsewhere) > 0
	message := sprintf("the site is administered by %v", [concat(", ", elsewhere)])
}

_may_work_from(role) if facts.in_eea(role.country)

_may_work_from(role) if {
	not facts.sensitive
	facts.safe(role.country)
}

_worker(role) := sprintf("%v (country: %v)", [
	report.shown(role, "id"),
	report.shown(role, "country"),
])

# METADATA
# title: transfer.pseudonymise_before_access
# description: >-
#   Hand the operator pseudonymised data only; what ties it to people stays with the city (EDPB
#   Recommendations 01/2020, Annex 2, use case 2).
host_obligations contains report.host_obligation(rego.metadata.rule(), "") if {
	facts.personal
	_exposed
}

# METADATA
# title: transfer.notify_foreign_orders
# description: >-
#   Tell the city of any order of a third country to hand data over, and contest it (Data Act,
#   art. 32; GDPR, art. 48).
host_obligations contains report.host_obligation(rego.metadata.rule(), "") if {
	facts.external
	not facts.public
}

# METADATA
# title: transfer.prefer_unexposed_operator
# description: Operators out of reach of third countries' laws are preferred, for any data.
preferences contains report.preference(rego.metadata.rule(), message) if {
	_exposed
	message := sprintf("extraterritorial exposure: %v", [
		report.shown(input.site.operator, "extraterritorial_exposure"),
	])
}
