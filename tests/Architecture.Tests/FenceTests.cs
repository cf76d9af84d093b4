namespace BackupDr.Architecture.Tests;

/// <summary>What a node does by itself rests where a later control plane has begun; docs/decisions/0048-terms.md</summary>
public sealed class FenceTests
{
    // These look for the later one, tell of it or of the node, and keep its own place and log: none starts, removes or changes what is
    // protected.
    static readonly string[] GoOn =
    [
        "src/Scheduler/Access/Trail/AuditAnchors.cs", "src/Scheduler/Cluster/NodeBeat.cs", "src/Scheduler/ControlPlane/TermWatch.cs",
        "src/Scheduler/Database/Notifications.cs", "src/Scheduler/Telemetry/OtlpExport.cs",
    ];

    const string Tells = "src/Scheduler/Alerts/AlertLoop.cs";

    [Fact]
    public void Services_of_a_node_do_their_work_in_loops_that_rest_where_a_later_control_plane_has_begun()
        => Rule.Holds(Sources().SelectMany(Unfenced));

    [Fact]
    public void A_service_beside_the_loops_and_a_loop_that_does_not_rest_are_found()
    {
        Assert.Single(Unfenced(new SourceFile("src/Scheduler/Runbooks/RunbookLoop.cs",
            "sealed class RunbookLoop(TimeProvider clock)\n    : BackgroundService\n")));
        Assert.Single(Unfenced(new SourceFile("src/Scheduler/Runbooks/RunbookLoop.cs",
            "sealed class RunbookLoop(NodeLoops loops) : BackgroundService\nloops.Every(time, work, ct, alsoSuperseded: true);\n")));
        Assert.Empty(Unfenced(new SourceFile("src/Scheduler/Runbooks/RunbookLoop.cs",
            "sealed class RunbookLoop(NodeLoops loops) : BackgroundService\nloops.Every(time, work, ct);\n")));
    }

    static IEnumerable<SourceFile> Sources() => SourceTree.Below("src/Scheduler/", ".cs").Where(file => !GoOn.Contains(file.Path));

    static IEnumerable<string> Unfenced(SourceFile file)
    {
        for (var at = 0; at < file.Lines.Length; at++)
        {
            var line = file.Lines[at];
            if (line.Contains(": BackgroundService", StringComparison.Ordinal)
                && !file.Text.Contains("NodeLoops", StringComparison.Ordinal))
                yield return file.At(at + 1, "is a service that does not do its work in NodeLoops");
            if (line.Contains("alsoSuperseded: true", StringComparison.Ordinal) && file.Path != Tells)
                yield return file.At(at + 1, "goes on where a later control plane has begun");
        }
    }
}
