using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>What <c>up</c> is given and cannot use: one clear message each, exit code 1, and no database left behind.</summary>
public sealed class UpRefusalTests
{
    [Theory]
    [InlineData("does not exist", "--protect", "/does/not/exist")]
    [InlineData("nothing to protect")]
    [InlineData("no port", "--protect", "/etc/hostname", "--port", "70000")]
    public async Task Up_says_what_it_cannot_use(string said, params string[] arguments)
    {
        await using var service = new Service();

        var result = Tool.Run(PublishedProgram.Path, ["up", "--once", "--data", service.Data, .. arguments.Contains("--port") ? (string[])[]
            : Port(service), .. arguments]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains(said, result.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(service.Data, "pg")));
    }

    [Fact]
    public async Task A_port_in_use_is_named()
    {
        await using var service = new Service();
        using var squatter = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        squatter.Bind(new IPEndPoint(IPAddress.Loopback, service.Port));
        squatter.Listen();

        var result = Tool.Run(PublishedProgram.Path,
            ["up", "--once", "--protect", "/etc/hostname", "--data", service.Data, .. Port(service)]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"Port {service.Port}", result.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(service.Data, "pg")));
    }

    [Fact]
    public async Task A_disk_too_small_for_the_database_is_named_and_left_without_one()
    {
        await using var service = new Service();
        using var disk = Mount.Memory(service.At("small"), "size=20m,mode=755");
        var data = Path.Combine(disk.Path, "data");

        var result = Tool.Run(PublishedProgram.Path, ["up", "--once", "--protect", "/etc/hostname", "--data", data, .. Port(service)]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("No space left on device", result.Errors, StringComparison.Ordinal);
        Assert.Contains("free space", result.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(data, "pg")));
    }

    [Fact]
    public async Task A_disk_that_fills_during_the_first_backup_fails_it_and_more_room_heals_it()
    {
        await using var service = new Service();
        using var disk = Mount.Memory(service.At("small"), "size=110m,mode=755");
        var source = service.Folder("source");
        File.WriteAllBytes(Path.Combine(source, "file"), RandomNumberGenerator.GetBytes(80 << 20));
        string[] up = ["up", "--once", "--json", "--protect", source, "--data", Path.Combine(disk.Path, "data"), .. Port(service)];

        var full = Tool.Run(PublishedProgram.Path, up);
        Tool.Succeed("mount", "-o", "remount,size=600m", disk.Path);
        var roomy = Tool.Run(PublishedProgram.Path, up);

        Assert.Equal(1, full.ExitCode);
        Assert.Contains("No space left on device", full.Errors, StringComparison.Ordinal);
        Assert.True(roomy.ExitCode == 0, roomy.Errors);
        using var outcome = JsonDocument.Parse(roomy.Output);
        Assert.Equal("Proven", outcome.RootElement.GetProperty("proof").GetProperty("result").GetString());
        Assert.NotEmpty(outcome.RootElement.GetProperty("oneTimePassword").GetString()!);   // no screen has shown it before
        service.Restic(outcome.RootElement).Check();
    }

    static string[] Port(Service service) => ["--port", service.Port.ToString(CultureInfo.InvariantCulture)];
}
