package openness_test

import data.fixtures_test as fixtures
import data.openness

test_open_stack_serves_the_dataset if {
	not _closed_stack(fixtures.question)
}

test_open_stack_where_only_other_interfaces_are_closed if {
	other := {"name": "Oracle", "licence_open": false, "interfaces": ["oracle"]}
	not _closed_stack(fixtures.with_site({"stack": array.concat(fixtures.site.stack, [other])}))
}

test_closed_stack_serves_an_interface if {
	_closed_stack(fixtures.with_site({"stack": [
		fixtures.site.stack[0],
		object.union(fixtures.site.stack[1], {"licence_open": false}),
	]}))
}

test_closed_stack_beside_an_open_one if {
	beside := object.union(fixtures.site.stack[1], {"licence_open": false})
	_closed_stack(fixtures.with_site({"stack": array.concat(fixtures.site.stack, [beside])}))
}

test_closed_stack_where_nothing_is_known_to_serve_an_interface if {
	_closed_stack(fixtures.with_site({"stack": [fixtures.site.stack[0]]}))
	_closed_stack(fixtures.with_site({"stack": []}))
	_closed_stack(fixtures.without_site("stack"))
}

test_closed_stack_where_the_answer_is_missing if {
	absent := object.remove(fixtures.site.stack[1], ["licence_open"])
	_closed_stack(fixtures.with_site({"stack": [fixtures.site.stack[0], absent]}))
}

test_closed_technology_the_dataset_brings if {
	every answer in [false, null] {
		technologies := [{"name": "ERP", "licence_open": answer}]
		_closed_stack(fixtures.with_dataset({"technologies": technologies}))
	}
}

test_closed_stack_without_interfaces_when_any_component_is_closed if {
	not _closed_stack(fixtures.with_dataset({"interfaces": []}))
	stack := array.concat(fixtures.site.stack, [{"name": "Oracle", "licence_open": false, "interfaces": []}])
	_closed_stack(fixtures.with_both({"interfaces": []}, {"stack": stack}))
	_closed_stack(fixtures.with_both({"interfaces": []}, {"stack": []}))
}

_closed_stack(asked) := answer if {
	answer := openness.closed_stack with input as asked
}
