package security_test

import data.fixtures_test as fixtures
import data.security

# Certificates.

test_eligible_certificate_on_last_day if _violated(_holding(3, [_c5({"valid_until": "2026-07-01"})])) == set()

test_denied_certificate_the_day_after_its_last if {
	_violated(_holding(3, [_c5({"valid_until": "2026-06-30"})])) == _uncertified
}

test_eligible_certificate_on_first_day if _violated(_holding(3, [_c5({"valid_from": "2026-07-01"})])) == set()

test_denied_certificate_the_day_before_its_first if {
	_violated(_holding(3, [_c5({"valid_from": "2026-07-02", "valid_until": "2027-07-01"})])) == _uncertified
}

test_denied_certificate_last_day_missing if {
	every certificate in [_c5({"valid_until": null}), object.remove(_c5({}), ["valid_until"])] {
		_violated(_holding(3, [certificate])) == _uncertified
	}
}

test_eligible_certificate_first_day_missing if {
	every certificate in [_c5({"valid_from": null}), object.remove(_c5({}), ["valid_from"])] {
		_violated(_holding(3, [certificate])) == set()
	}
}

test_denied_certificates_missing if {
	every asked in _site_lacks("certifications") {
		_violated(asked) == _uncertified | {"security.availability_assured"}
	}
}

test_denied_certificates_empty if _violated(_holding(1, [])) == _uncertified

test_eligible_certificates_empty_for_open_data if _violated(_holding(0, [])) == set()

test_eligible_certificate_suffices_external if {
	every level, schemes in {
		1: [["ISO27001", null], ["C5", "Type 1"], ["SECNUMCLOUD", null], ["EUCS", "basic"]],
		2: [["ISO27001", null], ["C5", "Type 1"], ["SECNUMCLOUD", null], ["EUCS", "basic"]],
		3: [["C5", "Type 2"], ["SECNUMCLOUD", null], ["EUCS", "substantial"], ["EUCS", "high"]],
		4: [["SECNUMCLOUD", null], ["EUCS", "high"]],
	} {
		every scheme in schemes {
			_violated(_holding(level, [fixtures.certificate(scheme[0], scheme[1])])) == set()
		}
	}
}

test_denied_certificate_insufficient_external if {
	every level, schemes in {
		1: [["BIO", null], ["ENSIA", null], ["SOC2", "Type 2"]],
		2: [["BIO", null], ["ENSIA", null], ["SOC2", "Type 2"]],
		3: [["ISO27001", null], ["C5", "Type 1"], ["C5", null], ["EUCS", "basic"], ["EUCS", null]],
		4: [["C5", "Type 2"], ["EUCS", "substantial"], ["EUCS", null]],
	} {
		every scheme in schemes {
			_violated(_holding(level, [fixtures.certificate(scheme[0], scheme[1])])) == _uncertified
		}
	}
}

test_denied_certificate_level_absent if {
	_violated(_holding(3, [object.remove(_c5({}), ["level"])])) == _uncertified
}

test_denied_certificate_scheme_missing if {
	every certificate in [_c5({"scheme": null}), object.remove(_c5({}), ["scheme"])] {
		_violated(_holding(3, [certificate])) == _uncertified
	}
}

# Each level asks for a certificate of its own: the higher one does not stand in for the lower.
test_denied_certificate_of_lower_level_lacking if {
	asked := _holding(3, [_c5({})])
	levels := [[], [{"scheme": "ISO27001"}], [], [{"scheme": "C5"}], []]
	violations := security.violations with input as asked
		with data.thresholds.security.certificates_by_confidentiality.external as levels
	{violation.message | some violation in violations} == {"no valid certificate for confidentiality 1; valid here: C5"}
}

test_eligible_certificate_suffices_municipal if {
	every scheme in ["ISO27001", "BIO", "ENSIA"] {
		every level in [2, 3, 4] {
			_violated(_municipal(level, [fixtures.certificate(scheme, null)])) == set()
		}
	}
}

test_denied_certificate_insufficient_municipal if {
	every certificates in [[], [fixtures.certificate("SOC2", null)]] {
		_violated(_municipal(2, certificates)) == _uncertified
	}
}

test_eligible_municipal_needs_no_certificate_below_its_level if _violated(_municipal(1, [])) == set()

test_denied_operator_not_shown_to_be_municipal if {
	asked := _holding(2, [fixtures.certificate("BIO", null)])
	every unshown in [
		object.union(asked, {"site": {"operator": {"municipal": null}}}),
		json.remove(asked, [["site", "operator", "municipal"]]),
	] {
		_violated(unshown) == _uncertified
	}
}

test_denied_certificate_names_what_is_lacking if {
	_messages(_holding(4, [fixtures.certificate("ISO27001", null)])) == {concat("", [
		"no valid certificate for confidentiality 3, 4; ",
		"valid here: ISO27001",
	])}
}

# Kinds of site.

test_denied_most_confidential_in_public_cloud if {
	asked := fixtures.with_both({"confidentiality": 4}, {"kind": "public_cloud", "certifications": _all})
	_violated(asked) == {"security.site_kind_suits_confidentiality"}
}

test_eligible_most_confidential_outside_public_cloud if {
	every kind in ["on_premise", "private_cloud"] {
		_violated(fixtures.with_both({"confidentiality": 4}, {"kind": kind, "certifications": _all})) == set()
	}
}

test_eligible_confidential_in_public_cloud if _violated(fixtures.with_site({"kind": "public_cloud"})) == set()

test_denied_kind_missing if {
	every asked in _site_lacks("kind") {
		_violated(asked) == {"security.site_kind_suits_confidentiality"}
	}
}

test_denied_kind_missing_for_open_data if {
	every asked in _site_lacks("kind") {
		open := object.union(asked, {"dataset": fixtures.public})
		_violated(open) == {"security.site_kind_suits_confidentiality"}
	}
}

# Keys.

test_denied_city_cannot_hold_keys if {
	_violated(fixtures.with_site({"customer_held_keys": false})) == {"security.city_holds_keys"}
}

test_denied_keys_missing if {
	every asked in _site_lacks("customer_held_keys") { _violated(asked) == {"security.city_holds_keys"} }
}

test_eligible_keys_below_threshold if {
	_violated(fixtures.with_both({"confidentiality": 2}, {"customer_held_keys": false})) == set()
}

test_eligible_keys_at_municipal_site if {
	keyless := object.union(fixtures.municipal, {"customer_held_keys": null})
	_violated(fixtures.with_site(keyless)) == set()
}

# Logs.

test_denied_access_not_logged if {
	asked := fixtures.with_both({"integrity": 2}, {"audit_logging": false})
	_violated(asked) == {"security.access_logged"}
}

test_denied_logging_missing if {
	every asked in _site_lacks("audit_logging") {
		_violated(asked) == {"security.access_logged", "security.changes_traceable"}
	}
}

test_denied_personal_access_not_logged_at_any_confidentiality if {
	every category in ["pseudonymised", "personal", "criminal", "special"] {
		every level in [0, 1] {
			_violated(_unlogged(category, level, 2)) == {"security.access_logged"}
		}
	}
}

test_denied_confidential_access_not_logged if _violated(_unlogged("none", 2, 2)) == {"security.access_logged"}

test_eligible_access_not_logged_below_threshold if _violated(_unlogged("none", 1, 2)) == set()

test_denied_access_not_logged_for_unknown_category if {
	_violated(_unlogged(null, 2, 2)) == {"security.access_logged"}
}

test_denied_changes_not_traceable if _violated(_unlogged("none", 0, 3)) == {"security.changes_traceable"}

test_eligible_changes_not_traceable_below_threshold if _violated(_unlogged("none", 0, 2)) == set()

# A missing level is reported once, by classification.attributes_stated.
test_eligible_integrity_missing_is_left_to_classification if {
	asked := _unlogged("none", 0, null)
	every missing in [asked, json.remove(asked, [["dataset", "integrity"]])] { _violated(missing) == set() }
	"classification.attributes_stated" in fixtures.violated(asked)
}

# Availability.

test_denied_availability_not_assured if _violated(_unassured({})) == {"security.availability_assured"}

test_eligible_availability_below_threshold if _violated(_unassured({"availability": 3})) == set()

test_eligible_availability_by_replicas if _violated(_unassured({"replicated": true})) == set()

test_eligible_availability_by_certificate if _violated(fixtures.with_dataset({"replicated": false})) == set()

test_denied_replication_missing if {
	asked := _unassured({"replicated": null})
	every missing in [asked, json.remove(asked, [["dataset", "replicated"]])] {
		_violated(missing) == {"security.availability_assured"}
	}
}

test_denied_continuity_certificate_expired if {
	every last_day in ["2026-06-30", null] {
		expired := object.union(fixtures.certificate("ISO22301", null), {"valid_until": last_day})
		asked := fixtures.with_site({"certifications": [_c5({}), expired]})
		_violated(asked) == {"security.availability_assured"}
	}
}

test_eligible_availability_missing_is_left_to_classification if {
	asked := _unassured({"availability": null})
	every missing in [asked, json.remove(asked, [["dataset", "availability"]])] { _violated(missing) == set() }
	"classification.attributes_stated" in fixtures.violated(asked)
}

# Impact assessments.

test_denied_personal_in_public_cloud_without_pre_scan if {
	every category in ["pseudonymised", "personal"] {
		every dpia in ["none", null] {
			_violated(_assessed(category, dpia, "public_cloud")) == {"security.dpia_pre_scanned"}
		}
	}
}

test_denied_personal_in_public_cloud_assessment_absent if {
	asked := json.remove(_assessed("personal", "none", "public_cloud"), [["dataset", "dpia"]])
	_violated(asked) == {"security.dpia_pre_scanned"}
}

test_eligible_personal_in_public_cloud_assessed if {
	every dpia in ["pre_scan", "full"] {
		_violated(_assessed("personal", dpia, "public_cloud")) == set()
	}
}

test_eligible_personal_outside_public_cloud_unassessed if {
	every kind in ["on_premise", "private_cloud"] {
		_violated(_assessed("personal", null, kind)) == set()
	}
}

test_eligible_non_personal_in_public_cloud_unassessed if {
	_violated(_assessed("none", null, "public_cloud")) == set()
}

test_denied_sensitive_in_cloud_without_full_assessment if {
	every category in ["criminal", "special"] {
		every kind in ["private_cloud", "public_cloud"] {
			_violated(_assessed(category, "pre_scan", kind)) == {"security.dpia_full_for_high_risk"}
		}
	}
}

test_denied_sensitive_assessment_missing if {
	asked := fixtures.with_dataset({"dpia": null})
	every missing in [asked, fixtures.without_dataset("dpia")] {
		_violated(missing) == {"security.dpia_full_for_high_risk"}
	}
}

test_denied_sensitive_in_public_cloud_unassessed if {
	_violated(_assessed("special", "none", "public_cloud")) == {
		"security.dpia_full_for_high_risk",
		"security.dpia_pre_scanned",
	}
}

test_eligible_sensitive_on_premise_without_full_assessment if {
	_violated(_assessed("special", "pre_scan", "on_premise")) == set()
}

# A site that may be a cloud is judged as one.
test_denied_sensitive_at_site_of_unknown_kind if {
	asked := _assessed("special", "pre_scan", null)
	every unknown in [asked, json.remove(asked, [["site", "kind"]])] {
		_violated(unknown) == {
			"security.dpia_full_for_high_risk",
			"security.site_kind_suits_confidentiality",
		}
	}
}

test_eligible_category_missing_is_left_to_classification if {
	asked := _assessed(null, null, "public_cloud")
	every missing in [asked, json.remove(asked, [["dataset", "gdpr_category"]])] { _violated(missing) == set() }
	"classification.attributes_stated" in fixtures.violated(asked)
}

test_denied_confidentiality_missing_is_left_to_classification if {
	asked := fixtures.with_both({"confidentiality": null}, {"certifications": [], "customer_held_keys": false})
	every missing in [asked, json.remove(asked, [["dataset", "confidentiality"]])] {
		_violated(missing) == {"security.availability_assured"}
		"classification.attributes_stated" in fixtures.violated(missing)
	}
}

_uncertified := {"security.certified_for_confidentiality"}

# Certificates for any level, and for continuity.
_all := [fixtures.certificate("ISO22301", null), fixtures.certificate("SECNUMCLOUD", null)]

_c5(changes) := object.union(fixtures.certificate("C5", "Type 2"), changes)

# Availability is lowered, so that only confidentiality asks for certificates.
_holding(confidentiality, certificates) := fixtures.with_both(
	{"confidentiality": confidentiality, "availability": 3},
	{"certifications": certificates},
)

_municipal(confidentiality, certificates) := object.union(
	_holding(confidentiality, certificates),
	{"site": fixtures.municipal},
)

_unlogged(category, confidentiality, integrity) := fixtures.with_both(
	{"gdpr_category": category, "confidentiality": confidentiality, "integrity": integrity},
	{"audit_logging": false},
)

_unassured(changes) := fixtures.with_both(changes, {"certifications": [_c5({})]})

_assessed(category, dpia, kind) := fixtures.with_both(
	{"gdpr_category": category, "dpia": dpia},
	{"kind": kind},
)

_site_lacks(key) := [fixtures.with_site({key: null}), fixtures.without_site(key)]

_violated(asked) := fixtures.codes(violations) if {
	violations := security.violations with input as asked
}

_messages(asked) := {violation.message | some violation in violations} if {
	violations := security.violations with input as asked
}
