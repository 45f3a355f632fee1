package authz_test

import data.authz
import data.authz.rights

# A question that the board may ask, changed in its parts.
question(operation, method, roles) := {
	"principal": {
		"subject": "https://login.soest.example anna",
		"kind": "person",
		"roles": roles,
		"departments": ["Ruimte"],
		"reader_roles": ["planner"],
		"operations": null,
	},
	"operation": operation,
	"method": method,
	"route": "/v1/anything",
	"author": null,
}

with_principal(asked, changes) := object.union(asked, {"principal": changes})

without_principal(asked, key) := json.remove(asked, [sprintf("principal/%s", [key])])

decided(asked) := decision if {
	# regal ignore:with-outside-test-context
	decision := authz.decision with input as asked
}

allowed(asked) if decided(asked).allow

denied(asked, why) if {
	decision := decided(asked)
	decision.allow == false
	decision.rows == {"all": false, "departments": [], "reader_roles": [], "public": false}
	contains(decision.reason, why)
}

all_rows := {"all": true, "departments": [], "reader_roles": [], "public": false}

no_grant := "no role of this principal grants it"

# The table

test_every_task_names_operations_and_no_operation_stands_in_two if {
	count({operation | some operations in rights.tasks; some operation in operations}) == count([operation |
		some operations in rights.tasks
		some operation in operations
	])
	every operations in rights.tasks { count(operations) > 0 }
}

test_every_task_is_somebodys if {
	granted := {task | some role in rights.roles; some task in role.tasks}
	given := granted | {task | some task in rights.everybody}
	given == object.keys(rights.tasks)
}

test_lists_name_operations_and_roles_that_exist if {
	operations := {operation | some operations in rights.tasks; some operation in operations}
	every operation in rights.other_eyes { operation in operations }
	every operation in rights.persons_only { operation in operations }
	every role in rights.reading_roles { rights.roles[role] }
}

test_every_role_opens_a_known_kind_of_rows if {
	every role in rights.roles { role.rows in {"all", "departments", "readers"} }
}

test_readers_are_given_nothing_that_changes if {
	every role in rights.reading_roles {
		every task in rights.roles[role].tasks { regex.match(`^(see|follow|inspect)(_|$)`, task) }
	}
}

test_allowed_for_the_office_to_ask_for_drills_and_to_cancel_them if {
	allowed(question("drills.ask", "POST", ["data_management_office"]))
	allowed(question("drills.cancel", "POST", ["data_management_office"]))
}

test_denied_for_everybody_else_to_ask_for_drills if {
	every role in object.keys(rights.roles) - {"data_management_office"} {
		denied(question("drills.ask", "POST", [role]), no_grant)
		denied(question("drills.cancel", "POST", [role]), no_grant)
	}
}

# An auditor's question may be too long for an address, and is a POST then.
test_allowed_for_readers_to_have_a_plan_verified if {
	allowed(question("verifications.ask", "POST", ["auditor"]))
}

test_denied_for_readers_to_post_anything_else if {
	denied(question("eligibility.read", "POST", ["auditor"]), no_grant)
}

# Granting

test_allowed_by_one_role if {
	decision := decided(question("decisions.approve", "POST", ["governance_board"]))
	decision.allow
	decision.reason == "decisions.approve: granted to governance_board"
	decision.rows == all_rows
}

test_allowed_by_the_second_role if {
	allowed(question("decisions.approve", "POST", ["data_user", "governance_board"]))
}

test_denied_without_roles if {
	denied(question("datasets.list", "GET", []), no_grant)
}

test_denied_to_another_role if {
	denied(question("decisions.approve", "POST", ["data_management_office"]), no_grant)
}

test_denied_to_an_unknown_role if {
	denied(question("datasets.list", "GET", ["root"]), no_grant)
}

test_denied_for_an_unknown_operation if {
	every role, _ in rights.roles { denied(question("datasets.drop", "POST", [role]), no_grant) }
}

test_denied_for_the_name_of_a_task if {
	denied(question("see_datasets", "GET", ["auditor"]), no_grant)
}

test_denied_to_somebody_who_says_to_be_everybody if {
	denied(question("datasets.list", "GET", ["everybody"]), no_grant)
}

test_everybody_sees_oneself if {
	decision := decided(question("me.read", "GET", []))
	decision.allow
	decision.reason == "me.read: granted to everybody"
	decision.rows == {"all": false, "departments": [], "reader_roles": [], "public": false}
}

# What is missing grants nothing.

test_denied_for_an_empty_question if {
	denied({}, no_grant)
}

test_denied_without_a_subject if {
	every operation in {"me.read", "datasets.list"} {
		asked := question(operation, "GET", ["auditor"])
		denied(without_principal(asked, "subject"), no_grant)
		denied(with_principal(asked, {"subject": ""}), no_grant)
	}
}

test_denied_without_a_part if {
	board := question("decisions.approve", "POST", ["governance_board"])
	denied(without_principal(board, "roles"), no_grant)
	denied(without_principal(board, "operations"), "the API key is not for this operation")
	denied(without_principal(board, "kind"), "only a person may do it")
	denied(json.remove(board, ["operation"]), no_grant)
	denied(json.remove(board, ["author"]), "whoever made it needs somebody else")
	denied(json.remove(question("audit.list", "GET", ["auditor"]), ["method"]), no_grant)
}

test_denied_where_the_tables_are_empty if {
	asked := question("datasets.list", "GET", ["auditor"])
	decision := authz.decision with input as asked with rights.tasks as {}
	decision.allow == false
	other := authz.decision with input as asked with rights.roles as {}
	other.allow == false
}

# Readers

test_readers_read if {
	decided(question("audit.export", "GET", ["auditor"])).rows == all_rows
	allowed(question("audit.export", "HEAD", ["auditor"]))
}

test_readers_change_nothing_whatever_the_table_says if {
	every method in {"POST", "PUT", "PATCH", "DELETE", "get", ""} {
		denied(question("policies.impact", method, ["auditor"]), no_grant)
	}
	allowed(question("policies.impact", "POST", ["security_reviewer"]))
}

test_readers_may_change_by_another_role if {
	allowed(question("policies.impact", "POST", ["auditor", "security_reviewer"]))
}

# API keys

machine(asked, operations) := with_principal(asked, {
	"subject": "key:1",
	"kind": "machine",
	"operations": operations,
})

test_a_key_does_what_it_is_for if {
	asked := question("datasets.list", "GET", ["data_management_office"])
	allowed(machine(asked, null))
	allowed(machine(asked, ["datasets.list", "sites.list"]))
}

test_a_key_does_nothing_else if {
	asked := question("datasets.list", "GET", ["data_management_office"])
	denied(machine(asked, ["sites.list"]), "the API key is not for this operation")
	denied(machine(asked, []), "the API key is not for this operation")
	denied(machine(question("me.read", "GET", []), []), "the API key is not for this operation")
}

test_a_key_does_not_more_than_its_roles if {
	asked := question("audit.list", "GET", ["data_management_office"])
	denied(machine(asked, ["audit.list"]), no_grant)
}

test_a_key_never_does_what_needs_a_person if {
	every operation in rights.persons_only {
		asked := question(operation, "POST", ["governance_board", "security_reviewer"])
		allowed(asked)
		denied(machine(asked, null), "only a person may do it")
		denied(machine(asked, [operation]), "only a person may do it")
	}
}

# Four eyes

test_nobody_passes_their_own_work if {
	every operation in rights.other_eyes {
		asked := question(operation, "POST", ["governance_board", "security_reviewer"])
		own := object.union(asked, {"author": asked.principal.subject})
		denied(own, "whoever made it needs somebody else")
		allowed(object.union(asked, {"author": "https://login.soest.example bert"}))
		denied(object.union(asked, {"author": 1}), "whoever made it needs somebody else")
	}
}

test_own_work_may_be_worked_on if {
	asked := question("policies.redraft", "PUT", ["security_reviewer"])
	allowed(object.union(asked, {"author": asked.principal.subject}))
}

# Rows

test_a_steward_gets_the_rows_of_own_departments if {
	decided(question("datasets.list", "GET", ["data_steward"])).rows == {
		"all": false,
		"departments": ["Ruimte"],
		"reader_roles": [],
		"public": false,
	}
}

test_a_data_user_gets_public_rows_and_those_of_own_roles if {
	decided(question("datasets.list", "GET", ["data_user"])).rows == {
		"all": false,
		"departments": [],
		"reader_roles": ["planner"],
		"public": true,
	}
}

test_rows_of_two_roles_unite if {
	decided(question("datasets.list", "GET", ["data_steward", "data_user"])).rows == {
		"all": false,
		"departments": ["Ruimte"],
		"reader_roles": ["planner"],
		"public": true,
	}
}

test_a_role_that_does_not_grant_the_operation_opens_no_rows if {
	rows := decided(question("datasets.update", "PUT", ["data_steward", "auditor", "data_user"])).rows
	rows == {"all": false, "departments": ["Ruimte"], "reader_roles": [], "public": false}
}

test_no_rows_where_departments_are_not_stated if {
	asked := question("datasets.list", "GET", ["data_steward", "data_user"])
	rows := decided(json.remove(asked, ["principal/departments", "principal/reader_roles"])).rows
	rows == {"all": false, "departments": [], "reader_roles": [], "public": true}
}
