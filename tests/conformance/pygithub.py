"""What PyGithub does and shows. The runner compares that, and what went over the wire.

python pygithub.py SCENARIO    with BASE_URL, GH_TOKEN and http_proxy
"""

import json
import os
import sys

from github import Auth, Github, GithubException

REPO = "octocat/hello-world"


def show(value):
    print(json.dumps(value, indent=1, sort_keys=True))


def user(github):
    show(github.get_user().raw_data)
    show(github.get_user("octocat").raw_data)


def repository(github):
    repo = github.get_repo(REPO)
    show(repo.raw_data)
    # This follows the URLs in what GitHub has answered.
    show([issue.title for issue in repo.get_issues(state="all")])
    show(repo.get_pull(13).raw_data)
    show(repo.get_commit("main").raw_data)


def pages(github):
    repos = github.get_organization("octo-org").get_repos()
    show([repo.full_name for repo in repos])
    show([run.id for run in github.get_repo(REPO).get_workflow_runs()])


def conditional(github):
    issue = github.get_repo(REPO).get_issue(1)
    show(issue.update())


def write(github):
    repo = github.get_repo(REPO)
    issue = repo.create_issue("From PyGithub", body="Hello")
    issue.edit(state="closed")
    show(repo.get_issue(issue.number).raw_data)


def missing(github):
    show(github.get_repo("octocat/no-such-repo").raw_data)


def main(scenario):
    github = Github(
        auth=Auth.Token(os.environ["GH_TOKEN"]),
        base_url=os.environ["BASE_URL"],
        retry=None,
        seconds_between_requests=0,
        seconds_between_writes=0,
    )
    try:
        scenario(github)
    except GithubException as error:
        show([type(error).__name__, error.status, error.data])
        sys.exit(1)


SCENARIOS = {f.__name__: f for f in [user, repository, pages, conditional, write, missing]}

if __name__ == "__main__":
    main(SCENARIOS[sys.argv[1]])
