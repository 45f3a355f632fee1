# METADATA
# description: |
#   Information security: which protection the site offers for the levels of confidentiality,
#   integrity and availability that the dataset asks for.
# schemas:
#   - input: schema.input
package security

import data.facts.dataset
import data.facts.site
import data.report
import data.thresholds

# METADATA
# title: security.certified_for_confidentiality
# description: >-
#   The site holds valid certificates for the data's confidentiality. Levels are cumulative: a
#   higher one asks for everything that the lower ones ask for.
# related_resources:
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, controls 5.19 to 5.23 (suppliers and cloud services, ISO/IEC 27002:2022)
#   - ref: https://www.bsi.bund.de/C5
#     description: BSI C5 (attestation Type 2 for higher protection requirements)
#   - ref: https://cyber.gouv.fr/sites/default/files/document/secnumcloud-referentiel-exigences-v3.2.pdf
#     description: SecNumCloud 3.2
# custom:
#   severity: mandatory
#   clause:
#     contract: hosting
#     states:
#       - site.certifications
#     text: >-
#       The operator holds, keeps valid and shows the certificates that the confidentiality of the
#       data asks for.
violations contains report.violation(rego.metadata.rule(), message) if {
	missing := {level | some level in site.uncertified_levels; level <= input.dataset.confidentiality}
	count(missing) > 0
	message := sprintf("no valid certificate for confidentiality %v; valid here: %v", [
		concat(", ", [sprintf("%v", [level]) | some level in missing]),
		concat(", ", [sprintf("%v", [scheme]) | some scheme in site.schemes]),
	])
}

# METADATA
# title: security.site_kind_suits_confidentiality
# description: The most confidential data does not rest in a public cloud.
# related_resources:
#   - ref: https://vng.nl/artikelen/interview-tanaquil-arduin-een-gemeentelijke-datastrategie-geeft-richting
#     description: The Hague, data strategy (which data suits cloud, which on-premise)
#   - ref: https://zoek.officielebekendmakingen.nl/kst-26643-904.html
#     description: Rijksbreed cloudbeleid 2022 (classified information and the public cloud)
# custom:
#   severity: municipal
violations contains report.violation(rego.metadata.rule(), message) if {
	kinds := thresholds.security.site_kinds_by_confidentiality[input.dataset.confidentiality]
	not _of_kind(kinds)
	message := sprintf("confidentiality %v at a site of kind %v", [
		input.dataset.confidentiality,
		report.shown(input.site, "kind"),
	])
}

# A rule of its own: what a call makes of an absent attribute is undefined, and its negation too.
_of_kind(kinds) if input.site.kind in kinds

# METADATA
# title: security.city_holds_keys
# description: >-
#   Highly confidential data at a site that the city does not run itself is encrypted with keys that
#   the city alone can hold.
# related_resources:
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, control 8.24 (use of cryptography, ISO/IEC 27002:2022)
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 32(1)(a) (encryption)
# custom:
#   severity: mandatory
#   clause:
#     contract: hosting
#     states:
#       - site.customer_held_keys
#     text: >-
#       The data is encrypted with keys that the city alone holds.
violations contains report.violation(rego.metadata.rule(), message) if {
	site.external
	input.dataset.confidentiality >= thresholds.security.city_keys_from_confidentiality
	not input.site.customer_held_keys == true
	message := sprintf("customer-held keys: %v; confidentiality %v", [
		report.shown(input.site, "customer_held_keys"),
		input.dataset.confidentiality,
	])
}

# METADATA
# title: security.access_logged
# description: Access to personal or confidential data is logged, and the city receives the log.
# related_resources:
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, control 8.15 (logging, ISO/IEC 27002:2022)
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 5(2) and 32 (accountability, security of processing)
# custom:
#   severity: mandatory
#   clause:
#     contract: hosting
#     states:
#       - site.audit_logging
#     text: >-
#       The operator logs every access to the data and delivers the log to the city.
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.accountable
	not input.site.audit_logging == true
	message := sprintf("audit logging: %v", [report.shown(input.site, "audit_logging")])
}

# METADATA
# title: security.changes_traceable
# description: Changes to data of high integrity can be traced to who made them.
# related_resources:
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, controls 8.15 and 8.16 (logging, monitoring, ISO/IEC 27002:2022)
#   - ref: https://www.bsi.bund.de/SharedDocs/Downloads/DE/BSI/Grundschutz/BSI_Standards/standard_200_2.pdf
#     description: BSI-Standard 200-2, chapter 8.2 (Schutzbedarf for integrity)
# custom:
#   severity: mandatory
#   clause:
#     contract: hosting
#     states:
#       - site.audit_logging
#     text: >-
#       Every change to the data can be traced to whoever made it.
violations contains report.violation(rego.metadata.rule(), message) if {
	input.dataset.integrity >= thresholds.security.traceability_from_integrity
	not input.site.audit_logging == true
	message := sprintf("integrity %v; audit logging: %v", [
		input.dataset.integrity,
		report.shown(input.site, "audit_logging"),
	])
}

# METADATA
# title: security.availability_assured
# description: >-
#   Data of very high availability is replicated, or rests at a site with a certified management of
#   business continuity.
# related_resources:
#   - ref: https://www.iso.org/standard/75106.html
#     description: ISO 22301:2019 (business continuity management systems)
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, controls 5.30 and 8.14 (ICT continuity, redundancy, ISO/IEC 27002:2022)
# custom:
#   severity: mandatory
#   clause:
#     contract: hosting
#     states:
#       - site.certifications
#     text: >-
#       The operator's management of business continuity is certified by one of:
#       {security.continuity_certificates}.
violations contains report.violation(rego.metadata.rule(), message) if {
	input.dataset.availability >= thresholds.security.continuity_from_availability
	not input.dataset.replicated == true
	count(site.schemes & {scheme | some scheme in thresholds.security.continuity_certificates}) == 0
	message := sprintf("availability %v, one replica, no valid certificate among %v", [
		input.dataset.availability,
		concat(", ", thresholds.security.continuity_certificates),
	])
}

# METADATA
# title: security.dpia_pre_scanned
# description: Personal data goes to a public cloud only after at least a pre-scan DPIA.
# related_resources:
#   - ref: https://zoek.officielebekendmakingen.nl/kst-26643-904.html
#     description: Rijksbreed cloudbeleid 2022 (pre-scan DPIA before a public cloud is used)
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 35(1) (data protection impact assessment)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.personal
	input.site.kind == "public_cloud"
	not _pre_scanned
	message := sprintf("DPIA: %v", [report.shown(input.dataset, "dpia")])
}

_pre_scanned if input.dataset.dpia in {"pre_scan", "full"}

# METADATA
# title: security.dpia_full_for_high_risk
# description: Special categories and criminal data go to any cloud only after a full DPIA.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 35(3)(b) (special categories and criminal data on a large scale)
#   - ref: https://zoek.officielebekendmakingen.nl/kst-26643-904.html
#     description: Rijksbreed cloudbeleid 2022 (full DPIA where the risk is high)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.sensitive
	site.cloud
	not input.dataset.dpia == "full"
	message := sprintf("DPIA: %v, for %v data", [
		report.shown(input.dataset, "dpia"),
		input.dataset.gdpr_category,
	])
}
