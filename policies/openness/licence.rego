package openness

import data.thresholds

# METADATA
# description: |
#   An SPDX licence expression that lets the city use the software under licences from the list of
#   open ones: with OR one side is enough, with AND both are needed. Anything that cannot be read as
#   an SPDX expression is not open.
# related_resources:
#   - ref: https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/
#     description: SPDX 2.3, Annex D (licence expressions)
open_licence(expression) if expression in thresholds.openness.open_licences

open_licence(expression) if {
	not expression in thresholds.openness.open_licences
	_outcome(expression) == "T"
}

# The expression becomes a formula of T (open) and F (not open) such as (T|F&T), and its innermost
# brackets are worked out until one letter is left. Deeper nesting than this is not open.
_outcome(expression) := _work_out(_work_out(_work_out(_work_out(_work_out(_formula(expression))))))

_work_out(formula) := upper(regex.replace(opened, `\([TF](?:[&|][TF])*\)`, "f")) if {
	all_open := `T(?:&T)*`
	any_side := `[TF](?:&[TF])*`
	pattern := sprintf(`\((?:%s\|)*%s(?:\|%s)*\)`, [any_side, all_open, any_side])
	opened := regex.replace(formula, pattern, "t")
}

_formula(expression) := concat("", array.concat(array.concat(["("], symbols), [")"])) if {
	spaced := replace(replace(expression, "(", " ( "), ")", " ) ")
	tokens := [token | some token in regex.split(`\s+`, spaced); token != ""]
	symbols := [_symbol(tokens, place) | some place, _ in tokens]
}

_operators := {"(": "(", ")": ")", "AND": "&", "and": "&", "OR": "|", "or": "|"}

_with := {"WITH", "with"}

_symbol(tokens, place) := _operators[tokens[place]]

_symbol(tokens, place) := "" if _grants_exception(tokens, place)

_symbol(tokens, place) := "" if _grants_exception(tokens, place - 1)

_symbol(tokens, place) := "T" if {
	not _connects(tokens, place)
	_open_here(tokens, place)
}

_symbol(tokens, place) := "F" if {
	not _connects(tokens, place)
	not _open_here(tokens, place)
}

_connects(tokens, place) if tokens[place] in object.keys(_operators)

_connects(tokens, place) if _grants_exception(tokens, place)

_connects(tokens, place) if _grants_exception(tokens, place - 1)

# WITH stands between a licence and a known exception, which only ever adds permissions.
_grants_exception(tokens, place) if {
	tokens[place] in _with
	not tokens[place - 1] in object.keys(_operators)
	not tokens[place - 1] in _with
	not tokens[place - 2] in _with
	tokens[place - 1]
	tokens[place + 1] in thresholds.openness.open_licence_exceptions
}

_open_here(tokens, place) if {
	contains(_open_licence_lines, sprintf("\n%s\n", [lower(trim_suffix(tokens[place], "+"))]))
}

# Licence ids are compared in any case (SPDX 2.3, Annex D.2).
_open_licence_lines := lower(sprintf("\n%s\n", [concat("\n", thresholds.openness.open_licences)]))
