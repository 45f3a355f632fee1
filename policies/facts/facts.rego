# METADATA
# description: |
#   What several families need to know of the pair that is judged. Every fact is stated positively:
#   a missing attribute leaves it undefined or empty, and rules deny what is not shown.
# schemas:
#   - input: schema.input
package facts

# METADATA
# description: The data says something about people, pseudonymised or not (GDPR, recital 26).
personal if input.dataset.gdpr_category in {"pseudonymised", "personal", "criminal", "special"}

# METADATA
# description: Data that art. 9 or art. 10 of the GDPR protects more strictly.
sensitive if input.dataset.gdpr_category in {"criminal", "special"}

# METADATA
# description: The city runs the site itself; it has no contract with itself.
municipal if input.site.operator.municipal == true

# METADATA
# description: The site is some form of cloud.
cloud if input.site.kind in {"private_cloud", "public_cloud"}

# METADATA
# description: A country of the European Economic Area.
in_eea(country) if country in data.thresholds.countries.eea

# METADATA
# description: The EEA, or a country with an adequacy decision under art. 45 GDPR.
safe(country) if in_eea(country)

safe(country) if country in data.thresholds.countries.adequate

# METADATA
# description: Everyone who works with the dataset.
roles contains role if some role in input.dataset.readers

roles contains role if some role in input.dataset.writers

roles contains role if some role in input.dataset.administrators

# METADATA
# description: A certificate of the scheme that is valid on the day the pair is judged.
certified(scheme) if {
	some certification in input.site.certifications
	certification.scheme == scheme
	valid(certification)
}

# METADATA
# description: |
#   Valid on the day the pair is judged. An unknown last day counts as expired; an unknown first
#   day does not count against a certificate that names its last one.
valid(certification) if {
	input.as_of <= certification.valid_until
	not begins_later(certification)
}

begins_later(certification) if certification.valid_from > input.as_of
