# METADATA
# description: |
#   What the contract with a private party says that collects data for the city (Barcelona's
#   clauses). These rules read the dataset only.
# schemas:
#   - input: schema.input
package procurement.collection

import data.report
import data.thresholds

# METADATA
# title: procurement.contractor_data_has_contract
# description: Data that a contractor collects is collected under a contract that is known.
# related_resources:
#   - ref: https://bcnroc.ajuntament.barcelona.cat/jspui/handle/11703/106505
#     description: Barcelona City Council, ICT Public Procurement Guide (2017), data sovereignty
# custom:
#   severity: municipal
#   clause:
#     contract: collection
#     states:
#       - dataset.contract
#     text: >-
#       The contract names every dataset that the contractor collects for the city.
violations contains report.violation(rego.metadata.rule(), message) if {
	input.dataset.collected_by == "contractor"
	not _under_contract
	message := "a contractor collects the data, and no contract is stated"
}

# METADATA
# title: procurement.contractor_hands_over_machine_readable
# description: >-
#   All data that a contractor collects is handed over to the city in an open, machine-readable
#   format.
# related_resources:
#   - ref: https://bcnroc.ajuntament.barcelona.cat/jspui/handle/11703/106505
#     description: Barcelona City Council, ICT Public Procurement Guide (2017), data sovereignty
# custom:
#   severity: municipal
#   clause:
#     contract: collection
#     states:
#       - contract.handover_format
#     text: >-
#       The contractor hands all data over in an open, machine-readable format.
violations contains report.violation(rego.metadata.rule(), message) if {
	_under_contract
	not _handed_over_open
	message := sprintf("hand-over format: %v", [
		report.shown(input.dataset.contract, "handover_format"),
	])
}

# Rules of their own: what a call makes of an absent attribute is undefined, and its negation too.
_handed_over_open if {
	input.dataset.contract.handover_format in thresholds.procurement.handover_formats
}

# METADATA
# title: procurement.contractor_hands_over_regularly
# description: Data that a contractor collects is handed over to the city at least every month.
# related_resources:
#   - ref: http://www.telles.eu/blog/2018/5/18/on-the-importance-of-designing-public-contracts-well
#     description: Barcelona's contract with Vodafone (machine-readable data every month)
# custom:
#   severity: municipal
#   clause:
#     contract: collection
#     states:
#       - contract.handover_interval_days
#     text: >-
#       The contractor hands the data over at least every {procurement.handover_interval_days_max}
#       days.
violations contains report.violation(rego.metadata.rule(), message) if {
	_under_contract
	not _hands_over_in_time
	message := sprintf("hand-over interval in days: %v; at most %v", [
		report.shown(input.dataset.contract, "handover_interval_days"),
		thresholds.procurement.handover_interval_days_max,
	])
}

_hands_over_in_time if {
	interval := input.dataset.contract.handover_interval_days
	not is_null(interval)
	interval <= thresholds.procurement.handover_interval_days_max
}

# METADATA
# title: procurement.contractor_data_is_public_property
# description: Data that a contractor collects for the city is public property.
# related_resources:
#   - ref: https://bcnroc.ajuntament.barcelona.cat/jspui/handle/11703/106505
#     description: Barcelona City Council, ICT Public Procurement Guide (2017), data sovereignty
# custom:
#   severity: municipal
#   clause:
#     contract: collection
#     states:
#       - contract.public_ownership
#     text: >-
#       The data that the contractor collects is public property from the moment it is collected.
violations contains report.violation(rego.metadata.rule(), message) if {
	_under_contract
	not input.dataset.contract.public_ownership == true
	message := sprintf("public ownership: %v", [
		report.shown(input.dataset.contract, "public_ownership"),
	])
}

# METADATA
# title: procurement.contractor_exit_agreed
# description: The contract says how a contractor hands the data over when it ends.
# related_resources:
#   - ref: https://bcnroc.ajuntament.barcelona.cat/jspui/handle/11703/106505
#     description: Barcelona City Council, ICT Public Procurement Guide (2017), data sovereignty
# custom:
#   severity: municipal
#   clause:
#     contract: collection
#     states:
#       - contract.exit_terms
#     text: >-
#       When the contract ends the contractor hands all data over, in that same format, and keeps
#       no copy that the law does not ask it to keep.
violations contains report.violation(rego.metadata.rule(), message) if {
	_under_contract
	not input.dataset.contract.exit_terms == true
	message := sprintf("exit terms: %v", [report.shown(input.dataset.contract, "exit_terms")])
}

# METADATA
# title: procurement.contract_in_force
# description: The contract under which a contractor collects the data has not ended.
# related_resources:
#   - ref: https://bcnroc.ajuntament.barcelona.cat/jspui/handle/11703/106505
#     description: Barcelona City Council, ICT Public Procurement Guide (2017), data sovereignty
# custom:
#   severity: municipal
#   clause:
#     contract: collection
#     states:
#       - contract.end_date
#     text: >-
#       The contract names its last day; data is collected up to that day only.
violations contains report.violation(rego.metadata.rule(), message) if {
	_under_contract
	not _in_force
	message := sprintf("contract end: %v; judged on %v", [
		report.shown(input.dataset.contract, "end_date"),
		report.shown(input, "as_of"),
	])
}

_in_force if input.dataset.contract.end_date >= input.as_of

# A contract that is missing is reported once, by contractor_data_has_contract.
_under_contract if {
	input.dataset.collected_by == "contractor"
	is_object(input.dataset.contract)
}
