"""Model families: LightningModules."""
