# METADATA
# description: Where personal data may go without further safeguards.
package facts.country

import data.thresholds

# METADATA
# description: A country of the European Economic Area.
in_eea(country) if country in thresholds.countries.eea

# METADATA
# scope: document
# description: The EEA, or a country with an adequacy decision under art. 45 of the GDPR.
safe(country) if in_eea(country)

safe(country) if country in thresholds.countries.adequate
