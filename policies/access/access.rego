# METADATA
# description: |
#   Role-based access: everyone who must work with the data reaches it at the site, under the city's
#   identities, and nobody else does.
# schemas:
#   - input: schema.input
package access

import data.facts.dataset
import data.facts.site
import data.report
import data.thresholds

# METADATA
# title: access.roles_named
# description: A dataset names who administers it and, unless it is public, who reads it.
# related_resources:
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, controls 5.15 and 5.18 (access control, access rights, ISO/IEC 27002:2022)
#   - ref: https://vng.nl/artikelen/interview-tanaquil-arduin-een-gemeentelijke-datastrategie-geeft-richting
#     description: The Hague, data strategy (role-based access management)
# custom:
#   severity: municipal
violations contains report.violation(rego.metadata.rule(), message) if {
	some tasks in {true: {"administrators"}, false: {"administrators", "readers"}}[dataset.public]
	not _named(tasks)
	message := sprintf("no %s are named", [tasks])
}

# A rule of its own: what a call makes of an absent attribute is undefined, and its negation too.
_named(tasks) if count(input.dataset[tasks]) > 0

# METADATA
# title: access.roles_served
# description: Every role that reads, writes or administers the dataset can be served at the site.
# related_resources:
#   - ref: https://vng.nl/artikelen/interview-tanaquil-arduin-een-gemeentelijke-datastrategie-geeft-richting
#     description: The Hague, data strategy (role-based access management)
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, control 5.15 (access control, ISO/IEC 27002:2022)
# custom:
#   severity: municipal
violations contains report.violation(rego.metadata.rule(), message) if {
	not "*" in site.serves
	unserved := dataset.role_ids - site.serves
	count(unserved) > 0
	message := sprintf("not served: %v", [concat(", ", unserved)])
}

# METADATA
# title: access.federated_identity
# description: Roles reach the dataset under the city's own identities.
# related_resources:
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, control 5.16 (identity management, ISO/IEC 27002:2022)
#   - ref: https://vng.nl/artikelen/interview-tanaquil-arduin-een-gemeentelijke-datastrategie-geeft-richting
#     description: The Hague, data strategy (role-based access management)
# custom:
#   severity: municipal
#   clause:
#     contract: hosting
#     states:
#       - site.federation
#     text: >-
#       The operator accepts the city's own identities, by OIDC or SAML.
violations contains report.violation(rego.metadata.rule(), message) if {
	count(dataset.roles) > 0
	not input.site.federation == true
	message := sprintf("identity federation: %v", [report.shown(input.site, "federation")])
}

# METADATA
# title: access.second_factor
# description: Roles reach the dataset with a second factor.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/dir/2022/2555/oj
#     description: NIS 2 Directive (EU) 2022/2555, art. 21(2)(j) (multi-factor authentication)
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, control 8.5 (secure authentication, ISO/IEC 27002:2022)
# custom:
#   severity: mandatory
#   clause:
#     contract: hosting
#     states:
#       - site.mfa
#     text: >-
#       The operator asks everybody for a second factor.
violations contains report.violation(rego.metadata.rule(), message) if {
	count(dataset.roles) > 0
	not input.site.mfa == true
	message := sprintf("multi-factor authentication: %v", [report.shown(input.site, "mfa")])
}

# METADATA
# title: access.roles_cleared
# description: Everyone who works with confidential data is screened for its confidentiality.
# related_resources:
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, control 6.1 (screening, ISO/IEC 27002:2022)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	input.dataset.confidentiality >= thresholds.access.clearance_from_confidentiality
	count(dataset.uncleared) > 0
	message := sprintf("confidentiality %v, worked with by %v", [
		input.dataset.confidentiality,
		concat(", ", dataset.uncleared),
	])
}

# METADATA
# title: access.site_administrators_known
# description: Where confidential data rests, it is known who administers the site.
# related_resources:
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, control 8.2 (privileged access rights, ISO/IEC 27002:2022)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	input.dataset.confidentiality >= thresholds.access.clearance_from_confidentiality
	not _site_administrators_named
	message := "the site names no administrators"
}

_site_administrators_named if count(input.site.administrators) > 0

# METADATA
# title: access.site_administrators_cleared
# description: Nobody administers the site without clearance for the data's confidentiality.
# related_resources:
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, controls 6.1 and 8.2 (screening, privileged access, ISO/IEC 27002:2022)
#   - ref: https://vng.nl/artikelen/interview-tanaquil-arduin-een-gemeentelijke-datastrategie-geeft-richting
#     description: The Hague, data strategy (role-based access management)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	input.dataset.confidentiality >= thresholds.access.clearance_from_confidentiality
	site.lowest_clearance < input.dataset.confidentiality
	uncleared := {report.clearance_of(role) |
		some role in input.site.administrators
		not _cleared(role)
	}
	count(uncleared) > 0
	message := sprintf("confidentiality %v, administered by %v", [
		input.dataset.confidentiality,
		concat(", ", uncleared),
	])
}

_cleared(role) if role.clearance >= input.dataset.confidentiality

# METADATA
# title: access.duties_segregated
# description: >-
#   A dataset does not serve two duties that must be kept apart, unless the site's administration is
#   segregated.
# related_resources:
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, control 5.3 (segregation of duties, ISO/IEC 27002:2022)
# custom:
#   severity: mandatory
#   clause:
#     contract: hosting
#     states:
#       - site.segregated_administration
#     text: >-
#       Several teams of the city administer their data apart, without reaching each other's.
violations contains report.violation(rego.metadata.rule(), message) if {
	count(input.dataset.duties) > 1
	some pair in conflicts(input.site, input.dataset.duties)
	message := sprintf("duties %s and %s under one administration", pair)
}

# METADATA
# description: |
#   Pairs among these duties, each in alphabetical order, that must not meet at the site. Where it
#   is unknown whether its administration is segregated, it is not.
conflicts(site, duties) := {sort(pair) |
	not site.segregated_administration == true
	some pair in thresholds.access.conflicting_duties
	every duty in pair { duty in duties }
}

# METADATA
# title: access.review_rights
# description: Let the city review who has access (BIO2, control 5.18)
host_obligations contains report.host_obligation(rego.metadata.rule(), detail) if {
	input.dataset.confidentiality >= thresholds.access.clearance_from_confidentiality
	detail := sprintf(", every %v days.", [thresholds.access.rights_review_interval_days])
}

# METADATA
# title: access.prefer_segregated_administration
# description: Sites whose tenants are administered apart are preferred for data that serves a duty.
preferences contains report.preference(rego.metadata.rule(), message) if {
	count(input.dataset.duties) > 0
	not input.site.segregated_administration == true
	message := sprintf("segregated administration: %v", [
		report.shown(input.site, "segregated_administration"),
	])
}
