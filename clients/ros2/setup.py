from glob import glob

from setuptools import setup

PACKAGE = "denoised_ros2"

setup(
    name=PACKAGE,
    version="0.2.0",
    packages=[PACKAGE],
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", glob("launch/*.launch.py")),
        (f"share/{PACKAGE}/config", glob("config/*.yaml")),
    ],
    # rclpy and the messages come with ROS.
    install_requires=["setuptools", "denoised", "numpy"],
    zip_safe=True,
    maintainer="The denoised authors",
    maintainer_email="denoised@example.com",
    description="A node between a robot's ROS 2 topics and denoised",
    license="Apache-2.0",
    entry_points={"console_scripts": [f"node = {PACKAGE}.node:main"]},
)
