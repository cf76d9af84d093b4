namespace BackupDr.TestKit;

/// <summary>A block device over a file. Needs root.</summary>
public sealed class LoopDevice : IDisposable
{
    /// <param name="image">Absolute path of the file; made where it is missing.</param>
    /// <param name="sizeBytes">Its size.</param>
    public LoopDevice(string image, long sizeBytes)
    {
        Mount.NeedRoot();
        using (var file = File.Open(image, FileMode.OpenOrCreate)) file.SetLength(sizeBytes);
        var made = Tool.Run("losetup", ["-f", "--show", image]);
        if (made.ExitCode != 0) Xunit.Assert.Skip($"No loop device can be made here: {made.Errors.Trim()}");
        Path = made.Output.Trim();
    }

    /// <summary>"/dev/loop3".</summary>
    public string Path { get; }

    public void Dispose() => Tool.Run("losetup", ["-d", Path]);
}
