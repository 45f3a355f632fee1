package security_test

import data.fixtures_test as fixtures
import data.security

test_obliged_everything_for_what_asks_most if {
	_required(fixtures.question) == {
		"security.back_up_elsewhere",
		"security.encrypt_at_rest",
		"security.encrypt_in_transit",
		"security.encrypt_with_city_keys",
		"security.exercise_recovery",
		"security.keep_access_log",
		"security.report_breaches",
	}
}

test_obliged_little_for_open_data if {
	open := object.union(fixtures.public, {"availability": 1})
	_required(fixtures.with_dataset(open)) == {"security.encrypt_in_transit", "security.keep_access_log"}
}

test_obliged_encryption_unless_public if {
	every rights in ["restricted", "non_public", null] {
		"security.encrypt_at_rest" in _required(fixtures.with_dataset({"access_rights": rights}))
	}
	"security.encrypt_at_rest" in _required(fixtures.without_dataset("access_rights"))
}

test_obliged_city_keys_from_threshold if {
	from_level := {level |
		some level in numbers.range(0, 4)
		"security.encrypt_with_city_keys" in _required(fixtures.with_dataset({"confidentiality": level}))
	}
	from_level == {3, 4}
}

test_obliged_log_kept_longer_for_higher_confidentiality if {
	kept := {level: requirement |
		some level in numbers.range(0, 4)
		requirement := _requirement(fixtures.with_dataset({"confidentiality": level}), "security.keep_access_log")
	}
	kept == {level: text |
		some level, days in [30, 90, 180, 365, 1095]
		text := sprintf(
			"Log every access and keep the log for the city (BIO2, control 8.15), at least %v days.",
			[days],
		)
	}
}

test_obliged_recovery_from_thresholds if {
	with_level := {level: codes |
		some level in numbers.range(0, 4)
		required := _required(fixtures.with_dataset({"availability": level}))
		codes := required & {"security.back_up_elsewhere", "security.exercise_recovery"}
	}
	with_level == {
		0: set(),
		1: set(),
		2: {"security.back_up_elsewhere"},
		3: {"security.back_up_elsewhere", "security.exercise_recovery"},
		4: {"security.back_up_elsewhere", "security.exercise_recovery"},
	}
}

test_obliged_recovery_interval_stated if {
	_requirement(fixtures.question, "security.exercise_recovery") == concat("", [
		"Restore the data in an exercise and report the time it took (BIO2, control 5.30)",
		", every 365 days.",
	])
}

test_obliged_breach_notice_for_personal_data if {
	every category in ["pseudonymised", "personal", "criminal", "special"] {
		_requirement(fixtures.with_dataset({"gdpr_category": category}), "security.report_breaches") == concat("", [
			"Report a breach to the city in time for its own 72 hours (GDPR, art. 33(1) and 33(2))",
			", within 24 hours.",
		])
	}
}

test_not_obliged_breach_notice_without_personal_data if {
	not "security.report_breaches" in _required(fixtures.with_dataset({"gdpr_category": "none"}))
}

# What hangs on a level that is missing cannot be stated, and the pair is not eligible anyway.
test_not_obliged_by_missing_levels if {
	nameless := {"availability": null, "confidentiality": null, "gdpr_category": null}
	asked := fixtures.with_dataset(nameless)
	every missing in [asked, json.remove(asked, [["dataset", key] | some key, _ in nameless])] {
		_required(missing) == {"security.encrypt_at_rest", "security.encrypt_in_transit"}
		"classification.attributes_stated" in fixtures.violated(missing)
	}
}

_required(asked) := fixtures.codes(requirements) if {
	requirements := security.host_obligations with input as asked
}

_requirement(asked, code) := requirement if {
	requirements := security.host_obligations with input as asked
	some item in requirements
	item.code == code
	requirement := item.requirement
}
