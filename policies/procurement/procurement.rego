# METADATA
# description: |
#   What the contracts say: with whoever hosts the data, after Barcelona's clauses and the GDPR.
# schemas:
#   - input: schema.input
package procurement

import data.facts.dataset
import data.facts.site
import data.report

# METADATA
# title: procurement.hosting_contract_known
# description: The contract with the operator of a site that the city does not run itself is known.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2023/2854/oj
#     description: Data Act, art. 25(1) (a written contract on switching)
#   - ref: https://bcnroc.ajuntament.barcelona.cat/jspui/handle/11703/106505
#     description: Barcelona City Council, ICT Public Procurement Guide (2017)
# custom:
#   severity: mandatory
#   clause:
#     contract: hosting
#     states:
#       - site.clauses
#     text: >-
#       The contract is in writing and contains every clause that the parties agreed on.
violations contains report.violation(rego.metadata.rule(), message) if {
	site.external
	not _clauses_stated
	message := "no clauses of a hosting contract are stated"
}

# A rule of its own: what a call makes of an absent attribute is undefined, and its negation too.
_clauses_stated if is_array(input.site.clauses)

# METADATA
# title: procurement.hosting_handover_machine_readable
# description: The hosting contract has all data handed over in machine-readable form.
# related_resources:
#   - ref: https://bcnroc.ajuntament.barcelona.cat/jspui/handle/11703/106505
#     description: Barcelona City Council, ICT Public Procurement Guide (2017), data sovereignty
#   - ref: https://eur-lex.europa.eu/eli/reg/2023/2854/oj
#     description: Data Act, art. 30(5) (export in a structured, machine-readable format)
# custom:
#   severity: municipal
#   clause:
#     contract: hosting
#     states:
#       - "site.clauses: handover_machine_readable"
#     text: >-
#       The operator hands all data over in a structured, machine-readable format whenever the
#       city asks, and when the contract ends.
violations contains report.violation(rego.metadata.rule(), message) if {
	"handover_machine_readable" in site.missing_clauses
	message := "the hosting contract lacks the clause handover_machine_readable"
}

# METADATA
# title: procurement.hosting_public_ownership
# description: The hosting contract states that the data is public property.
# related_resources:
#   - ref: https://bcnroc.ajuntament.barcelona.cat/jspui/handle/11703/106505
#     description: Barcelona City Council, ICT Public Procurement Guide (2017), data sovereignty
# custom:
#   severity: municipal
#   clause:
#     contract: hosting
#     states:
#       - "site.clauses: public_ownership"
#     text: >-
#       The data is public property, and so is whatever is derived from it.
violations contains report.violation(rego.metadata.rule(), message) if {
	"public_ownership" in site.missing_clauses
	message := "the hosting contract lacks the clause public_ownership"
}

# METADATA
# title: procurement.hosting_no_secondary_use
# description: The hosting contract forbids the operator any use of the data for itself.
# related_resources:
#   - ref: https://bcnroc.ajuntament.barcelona.cat/jspui/handle/11703/106505
#     description: Barcelona City Council, ICT Public Procurement Guide (2017), data sovereignty
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 28(3)(a) (processing only on documented instructions)
# custom:
#   severity: municipal
#   clause:
#     contract: hosting
#     states:
#       - "site.clauses: no_secondary_use"
#     text: >-
#       The operator processes the data for this contract alone: not for analyses, training, sale
#       or disclosure of its own.
violations contains report.violation(rego.metadata.rule(), message) if {
	"no_secondary_use" in site.missing_clauses
	message := "the hosting contract lacks the clause no_secondary_use"
}

# METADATA
# title: procurement.exit_clauses
# description: The hosting contract has the operator assist the exit and delete the data after it.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2023/2854/oj
#     description: Data Act, art. 25(2)(a), 25(2)(b) and 25(2)(h) (assistance, exit strategy, erasure)
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 28(3)(g) (deletion or return at the end)
# custom:
#   severity: mandatory
#   clause:
#     contract: hosting
#     states:
#       - "site.clauses: exit_assistance"
#       - "site.clauses: deletion_on_exit"
#     text: >-
#       The operator assists the city's exit, and afterwards deletes every copy and certifies
#       that.
violations contains report.violation(rego.metadata.rule(), message) if {
	missing := {"exit_assistance", "deletion_on_exit"} & site.missing_clauses
	count(missing) > 0
	message := sprintf("the hosting contract lacks %s", [concat(", ", missing)])
}

# METADATA
# title: procurement.processing_agreement
# description: >-
#   Personal data rests with another operator only under a data processing agreement that lets the
#   city approve sub-processors.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 28(2) and 28(3) (sub-processors, contract with the processor)
# custom:
#   severity: mandatory
#   clause:
#     contract: hosting
#     states:
#       - "site.clauses: data_processing_agreement"
#       - "site.clauses: sub_processor_approval"
#     text: >-
#       A data processing agreement is part of the contract; a sub-processor needs the city's
#       approval.
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.personal
	missing := {"data_processing_agreement", "sub_processor_approval"} & site.missing_clauses
	count(missing) > 0
	message := sprintf("the hosting contract lacks %s", [concat(", ", missing)])
}

# METADATA
# title: procurement.security_clauses
# description: >-
#   Where personal or confidential data rests with another operator, the contract has breaches
#   notified and lets the city audit.
# related_resources:
#   - ref: https://eur-lex.europa.eu/eli/reg/2016/679/oj
#     description: GDPR, art. 33(2) and 28(3)(h) (notice of breaches, audits)
#   - ref: https://www.bio-overheid.nl
#     description: BIO2, controls 5.20 and 5.22 (supplier agreements, monitoring, ISO/IEC 27002:2022)
# custom:
#   severity: mandatory
#   clause:
#     contract: hosting
#     states:
#       - "site.clauses: breach_notification"
#       - "site.clauses: audit_right"
#     text: >-
#       The operator notifies the city of a breach within {security.breach_notice_hours_max}
#       hours, and lets the city audit it.
violations contains report.violation(rego.metadata.rule(), message) if {
	dataset.accountable
	missing := {"audit_right", "breach_notification"} & site.missing_clauses
	count(missing) > 0
	message := sprintf("the hosting contract lacks %s", [concat(", ", missing)])
}

# METADATA
# title: procurement.storage_offered
# description: The site offers the kind of storage that the dataset needs.
# related_resources:
#   - ref: https://vng.nl/artikelen/interview-tanaquil-arduin-een-gemeentelijke-datastrategie-geeft-richting
#     description: The Hague, data strategy (suitable infrastructure)
# custom:
#   severity: municipal
violations contains report.violation(rego.metadata.rule(), message) if {
	not _storage_offered
	message := sprintf("not offered: storage of kind %v", [report.shown(input.dataset, "storage")])
}

_storage_offered if {
	input.dataset.storage == "object"
	input.site.offers_object_storage == true
}

_storage_offered if {
	input.dataset.storage == "block"
	input.site.offers_block_storage == true
}

# METADATA
# title: procurement.delete_on_exit
# description: >-
#   Delete the data when it leaves, and certify that (GDPR, art. 28(3)(g); Data Act, art. 25(2)(h)).
host_obligations contains report.host_obligation(rego.metadata.rule(), "") if site.external
