# METADATA
# description: |
#   Can the city leave? Open interfaces, open stacks and exit terms keep a dataset from being locked
#   in where it rests.
# schemas:
#   - input: schema.input
package openness

import data.facts.dataset
import data.facts.site
import data.report
import data.thresholds

# METADATA
# title: openness.interfaces_offered
# description: The site offers every interface that the dataset requires.
# related_resources:
#   - ref: https://ec.europa.eu/isa2/eif_en
#     description: European Interoperability Framework (2017), principle 2 (openness)
#   - ref: https://vng.nl/artikelen/interview-tanaquil-arduin-een-gemeentelijke-datastrategie-geeft-richting
#     description: The Hague, data strategy (suitable infrastructure)
# custom:
#   severity: municipal
#   clause:
#     contract: hosting
#     states:
#       - site.interfaces
#     text: >-
#       The operator offers every interface that the tender lists.
violations contains report.violation(rego.metadata.rule(), message) if {
	missing := dataset.interfaces - site.interfaces
	count(missing) > 0
	message := sprintf("not offered: %s", [concat(", ", missing)])
}

# METADATA
# title: openness.cloud_interface_is_open_standard
# description: >-
#   In a cloud, every interface that the dataset requires is served by a component that speaks an
#   open standard, such as NGSI-LD.
# related_resources:
#   - ref: https://smartcities-suedwestfalen.com/project/leitfaden-07-2/
#     description: Soest and the open regional data platform (open interfaces in the tender, FIWARE)
#   - ref: https://www.etsi.org/deliver/etsi_gs/CIM/001_099/009/
#     description: ETSI GS CIM 009 (NGSI-LD API)
#   - ref: https://eur-lex.europa.eu/eli/reg/2023/2854/oj
#     description: Data Act, art. 30(2) (open interfaces) and 35 (interoperability)
# custom:
#   severity: municipal
#   clause:
#     contract: hosting
#     states:
#       - "site.stack: open_standard"
#     text: >-
#       Every interface through which the data is reached speaks an openly specified standard.
violations contains report.violation(rego.metadata.rule(), message) if {
	site.cloud
	closed := dataset.interfaces - site.open_standards
	count(closed) > 0
	message := sprintf("not served by an open standard: %s", [concat(", ", closed)])
}

# METADATA
# title: openness.closed_interface_stays_off_cloud
# description: A dataset that still requires a closed interface does not move to a cloud.
# related_resources:
#   - ref: https://vng.nl/artikelen/interview-tanaquil-arduin-een-gemeentelijke-datastrategie-geeft-richting
#     description: The Hague, data strategy (open source in applied software, no lock-in)
# custom:
#   severity: municipal
violations contains report.violation(rego.metadata.rule(), message) if {
	site.cloud
	closed := dataset.interfaces & {wanted | some wanted in thresholds.openness.closed_interfaces}
	count(closed) > 0
	message := sprintf("closed: %s, at a site of kind %v", [
		concat(", ", closed),
		report.shown(input.site, "kind"),
	])
}

# METADATA
# title: openness.public_data_has_open_interface
# description: >-
#   Public data and high-value datasets are published through at least one open interface that the
#   site serves by an open standard.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/dir/2019/1024/oj
#     description: Open Data Directive (EU) 2019/1024, art. 5(1) and 14(1) (open formats, APIs)
#   - ref: https://eur-lex.europa.eu/eli/reg_impl/2023/138/oj
#     description: Implementing Regulation (EU) 2023/138, art. 3 (publication by API)
#   - ref: https://smartcities-suedwestfalen.com/soest-beschliesst-datenstrategie/
#     description: Data strategy of the city of Soest (open interfaces)
# custom:
#   severity: mandatory
violations contains report.violation(rego.metadata.rule(), message) if {
	_to_be_published
	not _published_openly
	message := sprintf("requires %v; open standards served here: %v", [
		report.shown(input.dataset, "interfaces"),
		concat(", ", site.open_standards),
	])
}

_to_be_published if dataset.public

_to_be_published if input.dataset.high_value == true

_published_openly if {
	some wanted in ((dataset.interfaces & site.interfaces) & site.open_standards)
	wanted in thresholds.openness.publication_interfaces
}

# METADATA
# title: openness.stack_licences_known
# description: The licence of every component that serves the dataset is known.
# related_resources:
#   - ref: https://vng.nl/artikelen/interview-tanaquil-arduin-een-gemeentelijke-datastrategie-geeft-richting
#     description: The Hague, data strategy (open source in applied software, no lock-in)
#   - ref: https://spdx.org/licenses/
#     description: SPDX License List
# custom:
#   severity: municipal
#   clause:
#     contract: hosting
#     states:
#       - "site.stack: licence"
#     text: >-
#       The operator states the licence of every component that serves the data.
violations contains report.violation(rego.metadata.rule(), message) if {
	unknown := dataset.interfaces & site.unlicensed_interfaces
	count(unknown) > 0
	message := sprintf("no licence is stated for what serves %s", [concat(", ", unknown)])
}

# METADATA
# title: openness.exit_notice_within_data_act
# description: >-
#   The notice for leaving a site that the city does not run itself is known and no longer than two
#   months.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2023/2854/oj
#     description: Data Act, art. 25(2)(d) (maximum notice period of two months)
# custom:
#   severity: mandatory
#   clause:
#     contract: hosting
#     states:
#       - site.exit_notice_days
#     text: >-
#       The city may leave at a notice of at most {openness.exit_notice_days_max} days.
violations contains report.violation(rego.metadata.rule(), message) if {
	site.external
	not _notice_within_data_act
	message := sprintf("notice in days: %v; at most %v", [
		report.shown(input.site, "exit_notice_days"),
		thresholds.openness.exit_notice_days_max,
	])
}

# A rule of its own: what a call makes of an absent attribute is undefined, and its negation too.
_notice_within_data_act if {
	_at_most(input.site.exit_notice_days, thresholds.openness.exit_notice_days_max)
}

# METADATA
# title: openness.transfer_window_within_data_act
# description: >-
#   The operator of a site that the city does not run itself keeps serving the data while it is
#   moved out, and completes that within the transitional period.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2023/2854/oj
#     description: Data Act, art. 25(2)(a) (transitional period of at most 30 days, continuity)
# custom:
#   severity: mandatory
#   clause:
#     contract: hosting
#     states:
#       - site.transfer_window_days
#     text: >-
#       The operator keeps serving the data while it is moved out, and completes the move within
#       {openness.transfer_window_days_max} days.
violations contains report.violation(rego.metadata.rule(), message) if {
	site.external
	not _window_within_data_act
	message := sprintf("transfer window in days: %v; %v to %v", [
		report.shown(input.site, "transfer_window_days"),
		thresholds.openness.transfer_window_days_min,
		thresholds.openness.transfer_window_days_max,
	])
}

_window_within_data_act if {
	_at_most(input.site.transfer_window_days, thresholds.openness.transfer_window_days_max)
	input.site.transfer_window_days >= thresholds.openness.transfer_window_days_min
}

_at_most(days, maximum) if {
	not is_null(days)
	days <= maximum
}

# METADATA
# title: openness.publish_by_api_and_bulk
# description: >-
#   Serve the dataset by API and as a bulk download, free of charge (Open Data Directive, art. 14(1);
#   Implementing Regulation (EU) 2023/138, art. 3).
host_obligations contains report.host_obligation(rego.metadata.rule(), "") if {
	input.dataset.high_value == true
}

# METADATA
# title: openness.prefer_open_stack
# description: Stacks under open licences are preferred.
preferences contains report.preference(rego.metadata.rule(), message) if {
	closed_stack
	message := "the dataset would rest on a closed stack"
}

# METADATA
# title: openness.prefer_labelled_cloud
# description: Clouds with a label for openness, such as SCS or Gaia-X, are preferred.
preferences contains report.preference(rego.metadata.rule(), message) if {
	site.cloud
	count(site.schemes & {label | some label in thresholds.preferences.open_cloud_labels}) == 0
	message := sprintf("no valid label among %s", [
		concat(", ", thresholds.preferences.open_cloud_labels),
	])
}
