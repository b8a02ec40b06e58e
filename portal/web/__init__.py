"""The portal as a web site: pages and the way in. What it shows comes from the rooms below; who may is ``portal/access``."""
