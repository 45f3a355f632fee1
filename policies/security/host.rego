package security

import data.facts.dataset
import data.report
import data.thresholds

# METADATA
# title: security.encrypt_in_transit
# description: Encrypt every connection over which the data is reached (BIO2, control 8.24).
host_obligations contains report.host_obligation(rego.metadata.rule(), "")

# METADATA
# title: security.encrypt_at_rest
# description: Encrypt the data at rest (BIO2, control 8.24; GDPR, art. 32(1)(a)).
host_obligations contains report.host_obligation(rego.metadata.rule(), "") if not dataset.public

# METADATA
# title: security.encrypt_with_city_keys
# description: Encrypt with keys that the city holds; never hold or derive them (BIO2, control 8.24).
host_obligations contains report.host_obligation(rego.metadata.rule(), "") if {
	input.dataset.confidentiality >= thresholds.security.city_keys_from_confidentiality
}

# METADATA
# title: security.keep_access_log
# description: Log every access and keep the log for the city (BIO2, control 8.15)
host_obligations contains report.host_obligation(rego.metadata.rule(), detail) if {
	days := thresholds.security.log_retention_days_by_confidentiality[input.dataset.confidentiality]
	detail := sprintf(", at least %v days.", [days])
}

# METADATA
# title: security.back_up_elsewhere
# description: Back up daily to another site, encrypted (BIO2, control 8.13).
host_obligations contains report.host_obligation(rego.metadata.rule(), "") if {
	input.dataset.availability >= thresholds.security.backup_from_availability
}

# METADATA
# title: security.exercise_recovery
# description: Restore the data in an exercise and report the time it took (BIO2, control 5.30)
host_obligations contains report.host_obligation(rego.metadata.rule(), detail) if {
	input.dataset.availability >= thresholds.security.recovery_exercise_from_availability
	detail := sprintf(", every %v days.", [thresholds.security.recovery_exercise_interval_days])
}

# METADATA
# title: security.report_breaches
# description: Report a breach to the city in time for its own 72 hours (GDPR, art. 33(1) and 33(2))
host_obligations contains report.host_obligation(rego.metadata.rule(), detail) if {
	dataset.personal
	detail := sprintf(", within %v hours.", [thresholds.security.breach_notice_hours_max])
}
