package openness

# METADATA
# description: |
#   The dataset would rest on a closed stack here: something it depends on is not under an open
#   licence, or is not known to be.
default closed_stack := false

closed_stack if {
	some component in _components
	not open_licence(component.licence)
}

closed_stack if {
	some wanted in input.dataset.interfaces
	not wanted in _served
}

closed_stack if {
	some technology in input.dataset.technologies
	not open_licence(technology.licence)
}

closed_stack if {
	_names_no_interface
	count(object.get(input.site, "stack", [])) == 0
}

# METADATA
# description: |
#   Components that the dataset depends on: those that serve an interface it requires or, where it
#   names none, all of them.
_components contains component if {
	some component in input.site.stack
	some served in component.interfaces
	served in input.dataset.interfaces
}

_components contains component if {
	_names_no_interface
	some component in input.site.stack
}

_names_no_interface if count(object.get(input.dataset, "interfaces", [])) == 0

_served contains served if {
	some component in input.site.stack
	some served in component.interfaces
}
