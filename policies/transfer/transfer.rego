# METADATA
# description: |
#   Data that reaches another jurisdiction without moving: through the operator's parent, and
#   through people who work on it from abroad.
# schemas:
#   - input: schema.input
package transfer

import data.facts.dataset
import data.facts.site
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
#   clause:
#     contract: hosting
#     states:
#       - site.customer_held_keys
#     text: >-
#       An operator whom a third country can oblige to hand data over never holds the keys to
#       personal data.
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.personal
	site.exposed
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
	dataset.personal
	site.exposed
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
#   clause:
#     contract: hosting
#     states:
#       - site.customer_held_keys
#     text: >-
#       An operator whom a third country can oblige to hand data over never holds the keys to
#       confidential data.
violations contains report.violation(rego.metadata.rule(), message) if {
	not dataset.personal
	site.exposed
	input.dataset.confidentiality >= thresholds.transfer.non_personal_shield_from_confidentiality
	not input.site.customer_held_keys == true
	message := sprintf("extraterritorial exposure: %v, customer-held keys: %v", [
		report.shown(input.site.operator, "extraterritorial_exposure"),
		report.shown(input.site, "customer_held_keys"),
	])
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
#   clause:
#     contract: hosting
#     states:
#       - "site.clauses: standard_contractual_clauses"
#     text: >-
#       The standard contractual clauses of Implementing Decision (EU) 2021/914 are part of the
#       contract.
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.personal
	site.external
	not site.operator_from_safe_country
	not _under_standard_clauses
	message := sprintf("the operator is from %v and there are no standard contractual clauses", [
		report.shown(input.site.operator, "country"),
	])
}

# A rule of its own: what a call makes of an absent attribute is undefined, and its negation too.
_under_standard_clauses if "standard_contractual_clauses" in input.site.clauses

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
	dataset.personal
	count(dataset.used_from_elsewhere) > 0
	message := sprintf("%v data is used by %v", [
		input.dataset.gdpr_category,
		concat(", ", dataset.used_from_elsewhere),
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
#   clause:
#     contract: hosting
#     states:
#       - site.administrators
#     text: >-
#       The operator's staff administer the site from the EEA, or from a country with an adequacy
#       decision where the data is not of a special category.
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.personal
	elsewhere := _administered_from_elsewhere[dataset.sensitive]
	count(elsewhere) > 0
	message := sprintf("the site is administered by %v", [concat(", ", elsewhere)])
}

# By whether the data is sensitive.
_administered_from_elsewhere := {
	false: site.administered_outside_safe_countries,
	true: site.administered_outside_eea,
}

# METADATA
# title: transfer.pseudonymise_before_access
# description: >-
#   Hand the operator pseudonymised data only; what ties it to people stays with the city (EDPB
#   Recommendations 01/2020, Annex 2, use case 2).
host_obligations contains report.host_obligation(rego.metadata.rule(), "") if {
	dataset.personal
	site.exposed
}

# METADATA
# title: transfer.notify_foreign_orders
# description: >-
#   Tell the city of any order of a third country to hand data over, and contest it (Data Act,
#   art. 32; GDPR, art. 48).
host_obligations contains report.host_obligation(rego.metadata.rule(), "") if {
	site.external
	not dataset.public
}

# METADATA
# title: transfer.prefer_unexposed_operator
# description: Operators out of reach of third countries' laws are preferred, for any data.
preferences contains report.preference(rego.metadata.rule(), message) if {
	site.exposed
	message := sprintf("extraterritorial exposure: %v", [
		report.shown(input.site.operator, "extraterritorial_exposure"),
	])
}
