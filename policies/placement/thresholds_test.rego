package placement_test

import data.placement

test_sound_shipped_thresholds if {
	placement.threshold_defects == set()
}

test_missing_thresholds_are_all_named if {
	defects := placement.threshold_defects with data.thresholds as {}
	defects == {concat(".", path) | some path in _read_paths}
}

# Each threshold that the shipped file states: down to what one rule reads as a whole.
_read_paths contains path if {
	walk(data.thresholds, [path, value])
	_is_whole(path, value)
	not _within_a_whole(path)
}

_is_whole(_, value) if not is_object(value)

_is_whole(path, _) if concat(".", path) in _tables

_within_a_whole(path) if {
	some length in numbers.range(1, count(path) - 1)
	above := array.slice(path, 0, length)
	_is_whole(above, object.get(data.thresholds, above, null))
}

# Objects that are read by a key from the input.
_tables := {
	"classification.confidentiality_min_by_gdpr_category",
	"preferences.penalty_eur_per_year",
}

test_defective_null_or_of_another_kind_in_every_place if {
	every wrong in [null, true, "3", -1, {"a": 1}, [{}]] {
		patch := [{"op": "replace", "path": path, "value": wrong} | some path in _read_paths]
		thresholds := json.patch(data.thresholds, patch)
		defects := placement.threshold_defects with data.thresholds as thresholds
		defects == {concat(".", path) | some path in _read_paths}
	}
}

# Values of one threshold that are sound, or not.
_defective(path, value) if {
	patch := [{"op": "replace", "path": split(path, "."), "value": value}]
	defects := placement.threshold_defects with data.thresholds as json.patch(data.thresholds, patch)
	defects == {path}
}

_sound(path, value) if {
	patch := [{"op": "replace", "path": split(path, "."), "value": value}]
	defects := placement.threshold_defects with data.thresholds as json.patch(data.thresholds, patch)
	defects == set()
}

test_boundaries_of_a_level if {
	every value in [0, 4, 5] { _sound("access.clearance_from_confidentiality", value) }
	every value in [-1, 6, 2.5] { _defective("access.clearance_from_confidentiality", value) }
}

test_boundaries_of_days if {
	every value in [0, 1, 3650] { _sound("openness.exit_notice_days_max", value) }
	every value in [-1, 0.5] { _defective("openness.exit_notice_days_max", value) }
}

test_boundaries_of_strings if {
	every value in [[], ["CH"]] { _sound("countries.adequate", value) }
	every value in ["CH", [1], ["CH", null]] { _defective("countries.adequate", value) }
}

test_boundaries_of_pairs if {
	every value in [[], [["a", "b"]]] { _sound("access.conflicting_duties", value) }
	every value in [[["a"]], [["a", "b", "c"]], [["a", 1]], ["ab"], [null]] {
		_defective("access.conflicting_duties", value)
	}
}

test_boundaries_of_numbers_by_level if {
	path := "residency.foreign_ownership_max_by_confidentiality"
	_sound(path, [1, 1, 0.5, 0.39, 0])
	every value in [[1, 1, 1, 1], [1, 1, 1, 1, 1, 1], [1, 1, 1, 1, null], "12345"] {
		_defective(path, value)
	}
}

test_boundaries_of_strings_by_level if {
	path := "security.site_kinds_by_confidentiality"
	_sound(path, [[], [], [], [], ["on_premise"]])
	every value in [[[], [], [], []], [[], [], [], [], [1]], [[], [], [], [], "on_premise"]] {
		_defective(path, value)
	}
}

test_boundaries_of_certificates_by_level if {
	path := "security.certificates_by_confidentiality.external"
	_sound(path, [[], [], [], [], [{"scheme": "C5", "levels": ["Type 2"]}]])
	_sound(path, [[], [], [], [], [{"scheme": "C5"}]])
	every value in [
		[[], [], [], []],
		[[], [], [], [], [{}]],
		[[], [], [], [], [{"scheme": null}]],
		[[], [], [], [], [{"scheme": "C5", "levels": false}]],
		[[], [], [], [], [{"scheme": "C5", "levels": "Type 2"}]],
		[[], [], [], [], ["C5"]],
		[[], [], [], [], null],
	] {
		_defective(path, value)
	}
}

test_boundaries_of_levels_by_category if {
	path := "classification.confidentiality_min_by_gdpr_category"
	shipped := data.thresholds.classification.confidentiality_min_by_gdpr_category
	_sound(path, object.union(shipped, {"special": 5}))
	_defective(path, object.union(shipped, {"special": 6}))
	_defective(path, object.union(shipped, {"other": 1}))
	_defective(path, object.remove(shipped, ["none"]))
}

test_boundaries_of_penalties if {
	path := "preferences.penalty_eur_per_year"
	shipped := data.thresholds.preferences.penalty_eur_per_year
	_sound(path, object.union(shipped, {"openness.prefer_open_stack": 0}))
	_defective(path, object.union(shipped, {"openness.prefer_open_stack": -1}))
	_defective(path, object.union(shipped, {"openness.prefer_open_stack": 0.5}))
	_defective(path, object.union(shipped, {"openness.prefer_another": 1}))
	_defective(path, object.remove(shipped, ["openness.prefer_open_stack"]))
}
