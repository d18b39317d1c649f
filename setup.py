from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version = {}
exec((here / "guild" / "__init__.py").read_text(), version)

setup(
    name="guildai",
    version=version["__version__"],
    description="Run, stage, queue, track and compare machine learning experiments",
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["guild", "guild.*"], exclude=["guild.onpath*"]),
    package_data={"guild": ["py.typed", "onpath/guild/__init__.py"]},
    install_requires=["click>=8.1", "PyYAML>=6.0", "psutil>=5.9", "watchdog>=3.0"],
    extras_require={
        "examples": ["scikit-learn>=1.3"],
        "tensorboard": ["tensorboard>=2.10"],
        "dev": [
            "jsonschema>=4.18",
            "pytest>=8",
            "pytest-timeout>=2.3",
            "hypothesis>=6.100",
            "mypy>=1.11",
            "ruff>=0.6",
            "types-PyYAML",
            "types-psutil",
        ],
    },
    entry_points={"console_scripts": ["guild = guild.cli:main"]},
    classifiers=[
        "Programming Language :: Python :: 3",
        "Operating System :: POSIX :: Linux",
        "Operating System :: MacOS",
    ],
    zip_safe=False,
)
