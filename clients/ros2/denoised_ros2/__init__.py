"""A ROS 2 node between a robot's topics and `denoised serve`.

`node` is the only module that imports rclpy. The others read ROS messages by their fields, and run without ROS.
"""
