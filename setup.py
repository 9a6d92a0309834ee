"""What pyproject.toml has no word for: conf/, which lies beside the package, becomes radedit/conf in a wheel."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["radedit*"]), "radedit.conf"],
    package_dir={"radedit.conf": "conf"},
)
