"""A typed client of the service, for automation written in Python.

from placement.client import Client

    with Client("https://placement.example.org", token) as service:
        job = service.decide(title="Plan for 2027")
        number = service.result(job.id)["decision"]
        print(service.decision(number).objective_eur)
"""

from placement.client.client import Client

__all__ = ["Client"]
