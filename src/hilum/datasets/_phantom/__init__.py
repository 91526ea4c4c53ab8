"""The phantom: patients, their studies, reports and films; `hilum.datasets.phantom` is its face."""
