package placement

# METADATA
# description: |
#   Thresholds that are missing or malformed. A rule that reads a missing threshold would never fire
#   and silently allow what it should deny, so no verdict is given while there is one.
threshold_defects contains path if {
	some path, kind in _expected
	not _is(kind, object.get(data.thresholds, split(path, "."), null))
}

_expected := {
	"access.clearance_from_confidentiality": "level",
	"access.conflicting_duties": "pairs",
	"access.rights_review_interval_days": "days",
	"classification.confidentiality_min_by_gdpr_category": "levels by category",
	"classification.non_public_confidentiality_min": "level",
	"classification.non_publication_grounds": "strings",
	"classification.public_confidentiality_max": "level",
	"countries.adequate": "strings",
	"countries.eea": "strings",
	"countries.home": "strings",
	"openness.closed_interfaces": "strings",
	"openness.exit_notice_days_max": "days",
	"openness.publication_interfaces": "strings",
	"openness.transfer_window_days_max": "days",
	"openness.transfer_window_days_min": "days",
	"preferences.on_premise_preferred_from_confidentiality": "level",
	"preferences.open_cloud_labels": "strings",
	"preferences.penalty_eur_per_year": "penalties",
	"preferences.seal_preferred_by_confidentiality": "numbers by level",
	"procurement.clauses_by_site_kind.on_premise": "strings",
	"procurement.clauses_by_site_kind.private_cloud": "strings",
	"procurement.clauses_by_site_kind.public_cloud": "strings",
	"procurement.handover_formats": "strings",
	"procurement.handover_interval_days_max": "days",
	"residency.eea_only_from_confidentiality": "level",
	"residency.foreign_ownership_max_by_confidentiality": "numbers by level",
	"residency.jurisdiction_known_from_confidentiality": "level",
	"residency.seal_min_by_confidentiality": "numbers by level",
	"security.access_logging_from_confidentiality": "level",
	"security.backup_from_availability": "level",
	"security.breach_notice_hours_max": "days",
	"security.certificates_by_confidentiality.external": "certificates by level",
	"security.certificates_by_confidentiality.municipal": "certificates by level",
	"security.city_keys_from_confidentiality": "level",
	"security.continuity_certificates": "strings",
	"security.continuity_from_availability": "level",
	"security.log_retention_days_by_confidentiality": "numbers by level",
	"security.recovery_exercise_from_availability": "level",
	"security.recovery_exercise_interval_days": "days",
	"security.site_kinds_by_confidentiality": "strings by level",
	"security.traceability_from_integrity": "level",
	"transfer.city_keys_from_confidentiality": "level",
	"transfer.exposed_excluded_from_confidentiality": "level",
	"transfer.non_personal_shield_from_confidentiality": "level",
}

# One step above the highest level switches a rule off.
_is("level", value) if value in {0, 1, 2, 3, 4, 5}

_is("days", value) if _natural(value)

_is("strings", value) if _strings(value)

_is("pairs", value) if {
	is_array(value)
	every pair in value {
		_strings(pair)
		count(pair) == 2
	}
}

# A preference without its weight would be lost, so every one is named here.
_is("penalties", value) if {
	every amount in value { _natural(amount) }
	object.keys(value) == {
		"access.prefer_segregated_administration",
		"openness.prefer_labelled_cloud",
		"openness.prefer_open_stack",
		"residency.prefer_eea_parent",
		"residency.prefer_higher_seal",
		"residency.prefer_home_country",
		"security.prefer_on_premise",
		"transfer.prefer_unexposed_operator",
	}
}

_is("numbers by level", value) if {
	count(value) == 5
	every item in value { is_number(item) }
}

_is("strings by level", value) if {
	count(value) == 5
	every item in value { _strings(item) }
}

_is("certificates by level", value) if {
	count(value) == 5
	every accepted in value {
		every certificate in accepted {
			is_string(certificate.scheme)
			_strings(object.get(certificate, "levels", []))
		}
	}
}

_is("levels by category", value) if {
	object.keys(value) == {"criminal", "none", "personal", "pseudonymised", "special"}
	every item in value { item in {0, 1, 2, 3, 4, 5} }
}

_natural(value) if {
	is_number(value)
	value >= 0
	floor(value) == value
}

_strings(value) if {
	is_array(value)
	every item in value { is_string(item) }
}
