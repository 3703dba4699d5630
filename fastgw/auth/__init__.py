"""Who is calling: virtual keys and what each may do."""
