namespace BackupDr.Scheduler.ControlPlane;

/// <summary>What a node does with its own state.</summary>
public sealed record ControlPlaneOptions : IChecked
{
    /// <summary>A folder, which must be there, to which the control plane is exported beside its locations, the same on all nodes;
    /// empty for none.</summary>
    public string ExportFolder { get; init; } = "";

    public IEnumerable<string> Problems()
    {
        if (ExportFolder.Length > 0 && !Path.IsPathRooted(ExportFolder))
            yield return $"ControlPlane:ExportFolder is '{ExportFolder}'; it must be an absolute path.";
    }
}
