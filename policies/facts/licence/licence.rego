# METADATA
# description: Is software under an open licence? Reads SPDX licence expressions.
# related_resources:
#   - ref: https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/
#     description: SPDX 2.3, Annex D (licence expressions)
package facts.licence

import data.thresholds

# METADATA
# scope: document
# description: |
#   The expression lets the city use the software under licences from the list of open ones: with OR
#   one side is enough, with AND both are needed. What is not an SPDX expression is not open.
open(expression) if expression in thresholds.openness.open_licences

open(expression) if {
	is_string(expression)
	not expression in thresholds.openness.open_licences
	_outcome(_formula(_tokens(expression))) == "T"
}

_tokens(expression) := [token |
	spaced := replace(replace(expression, "(", " ( "), ")", " ) ")
	some token in regex.split(`\s+`, spaced)
	token != ""
]

# The expression becomes a formula of T (open) and F (not open), such as (T|F&T).
_formula(tokens) := sprintf("(%s)", [concat("", [_symbol(tokens, place) | some place, _ in tokens])])

# Innermost brackets are worked out until one letter is left. Deeper nesting than this is not open.
_outcome(formula) := _work_out(_work_out(_work_out(_work_out(_work_out(formula)))))

_work_out(formula) := upper(regex.replace(opened, `\([TF](?:[&|][TF])*\)`, "f")) if {
	# An alternative of which every part is open, among any others.
	pattern := `\((?:[TF](?:&[TF])*\|)*T(?:&T)*(?:\|[TF](?:&[TF])*)*\)`
	opened := regex.replace(formula, pattern, "t")
}

_operator := {"(": "(", ")": ")", "AND": "&", "and": "&", "OR": "|", "or": "|"}

_symbol(tokens, place) := _operator[tokens[place]]

_symbol(tokens, place) := "" if _belongs_to_exception(tokens, place)

_symbol(tokens, place) := "T" if {
	_stands_alone(tokens, place)
	_known(tokens[place])
}

_symbol(tokens, place) := "F" if {
	_stands_alone(tokens, place)
	not _known(tokens[place])
}

_stands_alone(tokens, place) if {
	not _operator[tokens[place]]
	not _belongs_to_exception(tokens, place)
}

_belongs_to_exception(tokens, place) if _grants_exception(tokens, place)

_belongs_to_exception(tokens, place) if _grants_exception(tokens, place - 1)

# WITH stands between a licence and a known exception, which only ever adds permissions. Anywhere
# else the word is no operator, but the id of a licence that nobody knows.
_grants_exception(tokens, place) if {
	_says_with(tokens, place)
	not _operator[tokens[place - 1]]
	not _says_with(tokens, place - 2)
	tokens[place + 1] in thresholds.openness.open_licence_exceptions
}

_says_with(tokens, place) if lower(tokens[place]) == "with"

# Ids are compared in any case, and a trailing + means "or any later version" (SPDX 2.3, D.2 and D.3).
_known(id) if contains(_open_lines, sprintf("\n%s\n", [lower(trim_suffix(id, "+"))]))

_open_lines := lower(sprintf("\n%s\n", [concat("\n", thresholds.openness.open_licences)]))
