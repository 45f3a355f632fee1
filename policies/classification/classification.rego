# METADATA
# description: |
#   Is the dataset described well enough to be placed at all? These rules read the dataset only: a
#   dataset that fails here fails at every site.
# schemas:
#   - input: schema.input
package classification

import data.facts.dataset
import data.report
import data.thresholds

# METADATA
# title: classification.attributes_stated
# description: >-
#   A dataset states its confidentiality, integrity, availability, GDPR category, access rights and
#   who collected it.
# related_resources:
#   - ref: https://www.bsi.bund.de/SharedDocs/Downloads/DE/BSI/Grundschutz/BSI_Standards/standard_200_2.pdf
#     description: BSI-Standard 200-2, chapter 8.2 (Schutzbedarfsfeststellung)
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, control 5.12 (classification of information, ISO/IEC 27002:2022)
#   - ref: https://semiceu.github.io/DCAT-AP/releases/3.0.0/
#     description: DCAT-AP 3.0.0, dcat:Dataset, dct:accessRights
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	some attribute in [
		"access_rights",
		"availability",
		"collected_by",
		"confidentiality",
		"gdpr_category",
		"integrity",
	]
	is_null(object.get(input.dataset, attribute, null))
	message := sprintf("%s is not stated", [attribute])
}

# METADATA
# title: classification.owner_and_steward_named
# description: A dataset has an owning department and a steward who answers for it.
# related_resources:
#   - ref: https://smartcities-suedwestfalen.com/soest-beschliesst-datenstrategie/
#     description: Data strategy of the city of Soest (roles of data governance)
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, control 5.9 (inventory of information with its owners, ISO/IEC 27002:2022)
# custom:
#   severity: municipal
violations contains report.violation(rego.metadata.rule(), message) if {
	some attribute, role in {"has_owner": "owner department", "has_steward": "steward"}
	not input.dataset[attribute] == true
	message := sprintf("no %s is named", [role])
}

# METADATA
# title: classification.non_public_has_ground
# description: Data that is not public names a ground of the Woo for keeping it back.
# related_resources:
#   - ref: https://wetten.overheid.nl/BWBR0045754
#     description: Wet open overheid, art. 5.1 and 5.2 (the only grounds for not publishing)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	not dataset.public
	not _ground_recognised
	message := sprintf("access is %v on grounds %v, none of which the Woo knows", [
		report.shown(input.dataset, "access_rights"),
		report.shown(input.dataset, "non_publication_grounds"),
	])
}

_ground_recognised if {
	some ground in input.dataset.non_publication_grounds
	ground in thresholds.classification.non_publication_grounds
}

# METADATA
# title: classification.public_is_not_personal
# description: Personal data is not published.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 5(1)(c), 5(1)(f) and 6 (minimisation, confidentiality, lawfulness)
#   - ref: https://wetten.overheid.nl/BWBR0045754
#     description: Wet open overheid, art. 5.1(1)(d) and 5.1(2)(e) (personal data, private life)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.public
	dataset.personal
	message := sprintf("public access to data of category %v", [input.dataset.gdpr_category])
}

# METADATA
# title: classification.public_is_not_confidential
# description: Data that anyone may see is not classified as confidential.
# related_resources:
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, control 5.12 (classification of information, ISO/IEC 27002:2022)
#   - ref: http://publications.europa.eu/resource/authority/access-right
#     description: EU vocabulary of access rights, PUBLIC (as DCAT-AP 3 uses it)
# custom:
#   severity: municipal
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.public
	input.dataset.confidentiality > thresholds.classification.public_confidentiality_max
	message := sprintf("public access to data of confidentiality %v", [input.dataset.confidentiality])
}

# METADATA
# title: classification.non_public_is_confidential
# description: Data that is kept back is classified above open.
# related_resources:
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, control 5.12 (classification of information, ISO/IEC 27002:2022)
# custom:
#   severity: municipal
violations contains report.violation(rego.metadata.rule(), message) if {
	not dataset.public
	not is_null(input.dataset.confidentiality)
	input.dataset.confidentiality < thresholds.classification.non_public_confidentiality_min
	message := sprintf("access is %v, but confidentiality is %v", [
		report.shown(input.dataset, "access_rights"),
		input.dataset.confidentiality,
	])
}

# METADATA
# title: classification.personal_data_is_protected
# description: Personal data is classified at least as high as its GDPR category asks for.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 32 (security appropriate to the risk), 9 and 10 (stricter categories)
#   - ref: https://www.bsi.bund.de/SharedDocs/Downloads/DE/BSI/Grundschutz/BSI_Standards/standard_200_2.pdf
#     description: BSI-Standard 200-2, chapter 8.2 (Schutzbedarf of personal data)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.personal
	not is_null(input.dataset.confidentiality)
	not _confidential_enough
	message := sprintf("%v data of confidentiality %v", [
		input.dataset.gdpr_category,
		input.dataset.confidentiality,
	])
}

_confidential_enough if {
	minimum := thresholds.classification.confidentiality_min_by_gdpr_category
	input.dataset.confidentiality >= minimum[input.dataset.gdpr_category]
}

# METADATA
# title: classification.lawful_basis_stated
# description: Personal data states the lawful basis on which it is processed.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 6(1) (lawfulness) and 5(2) (the controller can demonstrate it)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.personal
	not input.dataset.has_lawful_basis == true
	message := sprintf("no lawful basis is stated for %v data", [input.dataset.gdpr_category])
}

# METADATA
# title: classification.high_value_is_public
# description: A high-value dataset is public.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg_impl/2023/138/oj
#     description: Implementing Regulation (EU) 2023/138 (list of high-value datasets, their re-use)
#   - ref: https://eur-lex.europa.eu/eli/dir/2019/1024/oj
#     description: Open Data Directive (EU) 2019/1024, art. 14(1) (free of charge, by API)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	input.dataset.high_value == true
	not dataset.public
	message := sprintf("a high-value dataset with access %v", [
		report.shown(input.dataset, "access_rights"),
	])
}
