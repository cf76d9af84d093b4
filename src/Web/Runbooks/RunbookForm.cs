namespace BackupDr.Web.Runbooks;

/// <summary>What the editor of a runbook posts.</summary>
public sealed class RunbookForm
{
    /// <summary>What <see cref="Action"/> is where the text is only looked at.</summary>
    public const string Look = "look";

    /// <summary>The document as it was typed.</summary>
    public string? Yaml { get; set; }
    /// <summary>The version that it was made from; empty for a new one.</summary>
    public string? Version { get; set; }
    /// <summary>The button that was pressed.</summary>
    public string? Action { get; set; }

    /// <summary>With the line ends of a file: browsers send others.</summary>
    public string? Text => Yaml?.ReplaceLineEndings("\n");
}
