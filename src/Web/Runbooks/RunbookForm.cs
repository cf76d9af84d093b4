namespace BackupDr.Web.Runbooks;

/// <summary>What the editor of a runbook posts.</summary>
public sealed class RunbookForm
{
    /// <summary>What <see cref="Action"/> is where the text is only looked at.</summary>
    public const string Look = "look";

    /// <summary>What <see cref="Action"/> is where a step is written into the text that executes another runbook.</summary>
    public const string AddChild = "child";

    /// <summary>The document as it was typed.</summary>
    public string? Yaml { get; set; }
    /// <summary>The version that it was made from; empty for a new one.</summary>
    public string? Version { get; set; }
    /// <summary>The button that was pressed.</summary>
    public string? Action { get; set; }

    /// <summary>Name of the runbook that a step is to execute.</summary>
    public string? Child { get; set; }
    /// <summary>Name of that step; empty to have it made.</summary>
    public string? StepName { get; set; }
    /// <summary>The step that it needs; empty for none.</summary>
    public string? After { get; set; }
    /// <summary>Its time.</summary>
    public string? Minutes { get; set; }
    /// <summary>Whether it is a point of no return.</summary>
    public bool IsFinal { get; set; }

    /// <summary>With the line ends of a file: browsers send others.</summary>
    public string? Text => Yaml?.ReplaceLineEndings("\n");
}
