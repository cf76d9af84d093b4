namespace BackupDr.Scheduler.ControlPlane;

/// <summary>What a node does with its own state.</summary>
public sealed record ControlPlaneOptions : IChecked
{
    /// <summary>A folder, which must be there, to which the control plane is exported beside its locations, the same on all nodes;
    /// empty for none.</summary>
    public string ExportFolder { get; init; } = "";

    /// <summary>How often each node looks in the places of exports whether a later control plane has begun, in seconds, 5 to 40.</summary>
    public int TermLookSeconds { get; init; } = 30;

    public IEnumerable<string> Problems()
    {
        if (ExportFolder.Length > 0 && !Path.IsPathRooted(ExportFolder))
            yield return $"ControlPlane:ExportFolder is '{ExportFolder}'; it must be an absolute path.";
        // A look, the next one and its patience fit into the time for which an answer counts.
        if (TermLookSeconds is < 5 or > 40)
            yield return $"ControlPlane:TermLookSeconds is {TermLookSeconds}; it must be between 5 and 40.";
    }
}
