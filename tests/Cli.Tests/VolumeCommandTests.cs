using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>A disk image protected by the program as a person uses it.</summary>
public sealed class VolumeCommandTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    static JsonElement Run(int exitCode, params string[] arguments)
    {
        var result = BackupdrProgram.Run([.. arguments, "--json"]);
        Assert.True(result.ExitCode == exitCode, $"It ended with {result.ExitCode}: {result.Output}{result.Errors}");
        var last = result.Output.TrimEnd().Split('\n')[^1];
        return last.Length == 0 ? default : JsonSerializer.Deserialize<JsonElement>(last);
    }

    [Fact]
    public void An_image_is_looked_at_stored_proven_and_put_back()
    {
        var image = _scratch.File("vm/disk.img");
        var noise = new byte[300_000];
        new Random(1).NextBytes(noise);
        using (var file = File.OpenWrite(image))
        {
            file.SetLength(64 << 20);
            file.Write(noise);
        }
        string[] repository = ["--repo", _scratch.At("repository")];
        Run(0, ["repo", "init", .. repository]);

        Assert.Equal(JsonValueKind.Array, Run(0, "volume", "discover").ValueKind);
        Assert.Empty(Run(0, "volume", "preflight", image).EnumerateArray());
        Assert.Equal(64 << 20, Run(0, ["volume", "backup", image, .. repository]).GetProperty("size").GetInt64());
        Assert.Equal(1, Run(0, ["volume", "backup", image, .. repository]).GetProperty("files_unmodified").GetInt64());
        Assert.True(Run(0, ["volume", "prove", "--scratch", _scratch.Folder("room"), .. repository]).GetProperty("proven").GetBoolean());
        Run(1, ["volume", "restore", "--target", image, .. repository]);
        Assert.Equal(image, Run(0, ["volume", "restore", "--target", _scratch.At("back.img"), .. repository])
            .GetProperty("volume").GetString());

        Assert.Equal(File.ReadAllBytes(image), File.ReadAllBytes(_scratch.At("back.img")));
    }
}
