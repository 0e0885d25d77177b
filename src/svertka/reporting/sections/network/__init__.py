"""What was trained: the network as a drawing of its silhouette, and as a table of its layers."""
