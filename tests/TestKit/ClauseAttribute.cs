namespace BackupDr.TestKit;

/// <summary>Names the clause of docs/format/restic-v2.md that a test proves. Architecture tests compare both ways.</summary>
/// <param name="number">For example "F-5.2".</param>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class ClauseAttribute(string number) : Attribute
{
    /// <summary>For example "F-5.2".</summary>
    public string Number { get; } = number;
}
