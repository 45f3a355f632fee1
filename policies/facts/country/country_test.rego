package facts.country_test

import data.facts.country

test_in_eea_with_and_without_eu if {
	every place in ["NL", "DE", "GR", "IS", "LI", "NO"] { country.in_eea(place) }
}

test_not_in_eea if {
	every place in ["CH", "GB", "US", "nl", "", null] { not country.in_eea(place) }
}

test_safe_in_eea_or_adequate if {
	every place in ["NL", "NO", "CH", "GB", "JP"] { country.safe(place) }
}

test_not_safe if {
	every place in ["US", "CN", "RU", "ch", "", null] { not country.safe(place) }
}

test_countries_follow_the_thresholds if {
	not country.in_eea("NL") with data.thresholds.countries.eea as ["DE"]
	not country.safe("CH") with data.thresholds.countries.adequate as []
}
