# METADATA
# description: |
#   What several families need to know of the pair that is judged. Facts are stated positively: a
#   missing attribute leaves a fact undefined, and rules deny what is not shown.
# schemas:
#   - input: schema.input
package facts

import data.thresholds

# METADATA
# description: |
#   The data says something about people, pseudonymised or not (GDPR, recital 26). A category that
#   is missing is reported once, by classification.attributes_stated.
personal if {
	input.dataset.gdpr_category != "none"
	not is_null(input.dataset.gdpr_category)
}

# METADATA
# description: Data that art. 9 or art. 10 of the GDPR protects more strictly.
sensitive if input.dataset.gdpr_category in {"criminal", "special"}

# METADATA
# description: Anyone may see the data.
public if input.dataset.access_rights == "public"

# METADATA
# description: The city runs the site itself; it has no contract with itself.
municipal if input.site.operator.municipal == true

# METADATA
# description: Someone else runs the site. Not being shown to be the city's own is enough.
external if not municipal

# METADATA
# description: The site is some form of cloud.
cloud if input.site.kind != "on_premise"

# METADATA
# description: No law of a third country reaches the operator, as far as anyone has shown.
unexposed if input.site.operator.extraterritorial_exposure == false

# METADATA
# description: A country of the European Economic Area.
in_eea(country) if country in thresholds.countries.eea

# METADATA
# description: The EEA, or a country with an adequacy decision under art. 45 of the GDPR.
safe(country) if in_eea(country)

safe(country) if country in thresholds.countries.adequate

# METADATA
# description: Everyone who works with the dataset.
roles contains role if some role in input.dataset.readers

roles contains role if some role in input.dataset.writers

roles contains role if some role in input.dataset.administrators

# METADATA
# description: |
#   Certificates that are valid on the day the pair is judged. An unknown last day counts as
#   expired; an unknown first day does not count against a certificate that names its last one.
certificates contains certificate if {
	some certificate in input.site.certifications
	not is_null(certificate.valid_until)
	input.as_of <= certificate.valid_until
	not _starts_later(certificate)
}

_starts_later(certificate) if {
	not is_null(certificate.valid_from)
	certificate.valid_from > input.as_of
}

# METADATA
# description: A valid certificate of the scheme, whatever its level.
certified(scheme) if {
	some certificate in certificates
	certificate.scheme == scheme
}
