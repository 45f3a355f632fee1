package facts.licence_test

import data.facts.licence

# Expressions by whether the city may use the software under open licences alone.
_open := {
	"a listed licence": "MIT",
	"blanks around it": "  MIT ",
	"any case": "apache-2.0",
	"any later version": "EUPL-1.2+",
	"or-later as SPDX now names it": "GPL-2.0-or-later",
	"one side of OR": "LicenseRef-closed OR MIT",
	"both sides of AND": "MIT AND Apache-2.0",
	"operators in lower case": "MIT and (LicenseRef-closed or ISC)",
	"AND binds before OR, right": "MIT OR LicenseRef-closed AND LicenseRef-other",
	"AND binds before OR, left": "LicenseRef-closed AND LicenseRef-other OR MIT",
	"AND in the middle": "LicenseRef-closed OR MIT AND ISC OR LicenseRef-other",
	"brackets without blanks": "(MIT OR LicenseRef-closed)AND(ISC)",
	"brackets four deep": "((((MIT))))",
	"a known exception": "GPL-2.0-only WITH Classpath-exception-2.0",
	"a known exception, in lower case": "GPL-2.0-only with Classpath-exception-2.0",
	"an exception on the right": "MIT AND GPL-2.0-only WITH Classpath-exception-2.0",
	"two exceptions apart": concat(" AND ", [
		"GPL-2.0-only WITH Classpath-exception-2.0",
		"GPL-3.0-only WITH GCC-exception-3.1",
	]),
}

_closed := {
	"not stated": null,
	"empty": "",
	"blank": " ",
	"a number": 1,
	"true": true,
	"a list of open licences": ["MIT"],
	"an object": {"MIT": "MIT"},
	"nobody knows it": "LicenseRef-closed",
	"source available": "BUSL-1.1",
	"part of an open one": "MI",
	"an open one and more": "MIT-closed",
	"a formula's own letter": "T",
	"a formula": "(T|F)",
	"any later version of nothing": "+",
	"one side of AND": "MIT AND LicenseRef-closed",
	"neither side of OR": "LicenseRef-closed OR LicenseRef-other",
	"AND outside brackets": "(MIT OR LicenseRef-closed) AND LicenseRef-other",
	"AND binds before OR": "LicenseRef-closed OR LicenseRef-other AND MIT",
	"two licences without an operator": "MIT ISC",
	"a text": "MIT License, see file",
	"an operator alone": "AND",
	"an operator at the end": "MIT OR",
	"an operator at the start": "OR MIT",
	"two operators": "MIT OR OR ISC",
	"an operator in mixed case": "MIT Or ISC",
	"empty brackets": "()",
	"a bracket not closed": "(MIT",
	"a bracket not opened": "MIT)",
	"brackets the wrong way round": ")MIT(",
	"a licence before brackets": "MIT (ISC)",
	"brackets deeper than is read": "((((((((MIT))))))))",
	"an unknown exception": "GPL-2.0-only WITH closed-exception",
	"an exception to a closed licence": "LicenseRef-closed WITH Classpath-exception-2.0",
	"an exception to nothing": "WITH Classpath-exception-2.0",
	"an exception alone": "Classpath-exception-2.0",
	"an exception not named": "GPL-2.0-only WITH",
	"an exception to brackets": "(GPL-2.0-only) WITH Classpath-exception-2.0",
	"an exception to an operator": "MIT AND WITH Classpath-exception-2.0",
	"two exceptions to one licence": concat(" WITH ", [
		"GPL-2.0-only",
		"Classpath-exception-2.0",
		"Classpath-exception-2.0",
	]),
	"WITH twice": "GPL-2.0-only WITH WITH Classpath-exception-2.0",
}

test_open_expressions if {
	every expression in _open { licence.open(expression) }
}

test_closed_expressions if {
	every expression in _closed { not licence.open(expression) }
}

test_open_follows_the_thresholds if {
	licence.open("MIT OR ISC") with data.thresholds.openness.open_licences as ["ISC"]
	not licence.open("MIT") with data.thresholds.openness.open_licences as ["ISC"]
	not licence.open("MIT") with data.thresholds.openness.open_licences as []
}
