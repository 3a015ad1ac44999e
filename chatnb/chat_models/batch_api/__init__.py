"""The batch APIs of providers: jobs that are answered within a day, at half price."""
