# METADATA
# description: Where data rests, and whose law reaches it there.
# schemas:
#   - input: schema.input
package residency

import data.facts.dataset
import data.facts.site
import data.report
import data.thresholds

# METADATA
# title: residency.personal_data_in_safe_country
# description: Personal data rests in the EEA or in a country with an adequacy decision.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 44 and 45 (transfers need an adequate level of protection)
#   - ref: https://zoek.officielebekendmakingen.nl/kst-26643-904.html
#     description: Rijksbreed cloudbeleid 2022 (personal data in the EEA or an adequate country)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.personal
	not site.in_safe_country
	message := sprintf("%v data would rest in %v", [
		input.dataset.gdpr_category,
		report.shown(input.site, "country"),
	])
}

# METADATA
# title: residency.special_category_stays_in_eea
# description: Special categories of personal data and criminal data rest inside the EEA.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 9 and 10 (stricter categories) with art. 32
#   - ref: https://zoek.officielebekendmakingen.nl/kst-26643-904.html
#     description: Rijksbreed cloudbeleid 2022 (special personal data in the public cloud)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.sensitive
	not site.in_eea
	message := sprintf("%v data would rest in %v", [
		input.dataset.gdpr_category,
		report.shown(input.site, "country"),
	])
}

# METADATA
# title: residency.special_category_under_eea_parent
# description: >-
#   Special categories of personal data and criminal data rest with an operator whose ultimate
#   parent is in the EEA and whom no law of a third country can oblige to hand data over.
# related_resources:
#   - ref: https://curia.europa.eu/juris/liste.jsf?num=C-311/18
#     description: CJEU, C-311/18 (Schrems II), 16 July 2020
#   - ref: https://www.edpb.europa.eu/our-work-tools/our-documents/recommendations/recommendations-012020-measures-supplement-transfer_en
#     description: EDPB Recommendations 01/2020, Annex 2, use cases 6 and 7 (no effective measure)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.sensitive
	site.external
	not _under_eea_law_only
	message := sprintf("parent jurisdiction %v, extraterritorial exposure %v", [
		report.shown(input.site.operator, "parent_jurisdiction"),
		report.shown(input.site.operator, "extraterritorial_exposure"),
	])
}

_under_eea_law_only if {
	site.parent_in_eea
	not site.exposed
}

# METADATA
# title: residency.confidential_data_stays_in_eea
# description: Data of high confidentiality rests inside the EEA, personal or not.
# related_resources:
#   - ref: https://docs.gaia-x.eu/policy-rules-committee/compliance-document/
#     description: Gaia-X Compliance Document, label level 3 (data stored and processed in the EEA)
#   - ref: https://vng.nl/artikelen/interview-tanaquil-arduin-een-gemeentelijke-datastrategie-geeft-richting
#     description: The Hague, data strategy (which data suits cloud, which on-premise)
# custom:
#   severity: municipal
violations contains report.violation(rego.metadata.rule(), message) if {
	input.dataset.confidentiality >= thresholds.residency.eea_only_from_confidentiality
	not site.in_eea
	message := sprintf("data of confidentiality %v would rest in %v", [
		input.dataset.confidentiality,
		report.shown(input.site, "country"),
	])
}

# METADATA
# title: residency.jurisdiction_known
# description: >-
#   For data that is personal or not open, it is known under whose law the operator's parent stands
#   and whether a third country can oblige it to hand data over.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2023/2854/oj
#     description: Data Act, art. 28(1) (providers publish the jurisdiction they are subject to)
#   - ref: https://www.edpb.europa.eu/our-work-tools/our-documents/recommendations/recommendations-012020-measures-supplement-transfer_en
#     description: EDPB Recommendations 01/2020, step 3 (assess the law that applies)
# custom:
#   severity: mandatory
#   clause:
#     contract: hosting
#     states:
#       - operator.parent_jurisdiction
#       - operator.extraterritorial_exposure
#     text: >-
#       The operator states under whose law its ultimate parent stands, and every law of a third
#       country that can oblige it to hand data over; it tells the city when that changes.
violations contains report.violation(rego.metadata.rule(), message) if {
	_jurisdiction_matters
	site.external
	some attribute in ["extraterritorial_exposure", "parent_jurisdiction"]
	is_null(object.get(input.site.operator, attribute, null))
	message := sprintf("the operator's %s is not stated", [attribute])
}

_jurisdiction_matters if dataset.personal

_jurisdiction_matters if {
	input.dataset.confidentiality >= thresholds.residency.jurisdiction_known_from_confidentiality
}

# METADATA
# title: residency.seal_minimum
# description: >-
#   A site that the city does not run itself reaches the sovereignty level (SEAL) that the data's
#   confidentiality asks for.
# related_resources:
#   - ref: https://commission.europa.eu/document/09579818-64a6-4dd5-9577-446ab6219113_en
#     description: EU Cloud Sovereignty Framework v1.2.1, SEAL-0 to SEAL-4 as minimum of a tender
# custom:
#   severity: municipal
violations contains report.violation(rego.metadata.rule(), message) if {
	site.external
	minimum := thresholds.residency.seal_min_by_confidentiality[input.dataset.confidentiality]
	minimum > 0
	not _sealed(minimum)
	message := sprintf("SEAL is %v; confidentiality %v asks for %v", [
		report.shown(input.site, "seal_level"),
		input.dataset.confidentiality,
		minimum,
	])
}

# A rule of its own: what a call makes of an absent attribute is undefined, and its negation too.
_sealed(minimum) if input.site.seal_level >= minimum

# METADATA
# title: residency.foreign_ownership_ceiling
# description: >-
#   Data of high confidentiality rests with an operator whose capital is held from outside the EEA
#   no further than the ceiling allows.
# related_resources:
#   - ref: https://cyber.gouv.fr/sites/default/files/document/secnumcloud-referentiel-exigences-v3.2.pdf
#     description: SecNumCloud 3.2, chapter 19.6 (24 % held by one, 39 % by all third parties)
# custom:
#   severity: municipal
violations contains report.violation(rego.metadata.rule(), message) if {
	site.external
	ceilings := thresholds.residency.foreign_ownership_max_by_confidentiality
	ceiling := ceilings[input.dataset.confidentiality]
	ceiling < 1
	not _held_within(ceiling)
	message := sprintf("foreign share is %v; confidentiality %v allows %v", [
		report.shown(input.site.operator, "foreign_ownership_share"),
		input.dataset.confidentiality,
		ceiling,
	])
}

_held_within(ceiling) if {
	not is_null(input.site.operator.foreign_ownership_share)
	input.site.operator.foreign_ownership_share <= ceiling
}
