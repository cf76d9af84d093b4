using System.Diagnostics;
using System.IO.Compression;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using BackupDr.TestKit;
using Npgsql;

namespace BackupDr.SystemTests;

/// <summary>An installation that was given every kind of secret: none of them is in a dump of its database, in its logs, its support
/// bundle, its metrics, or in the command line or the environment of any process, however it is written.</summary>
public sealed class SecretScanTests
{
    readonly Dictionary<string, string> _secrets = [];

    [Fact]
    public async Task No_secret_is_in_the_database_the_logs_the_bundle_or_a_process_list()
    {
        await using var service = new Service();
        var source = service.Folder("source");
        File.WriteAllText(Path.Combine(source, "file"), "data\n");
        using var watch = new ProcessWatch();
        service.Start("--protect", source);
        var outcome = await service.Outcome();
        using var http = service.Http();
        Keep("one-time password", outcome.GetProperty("oneTimePassword").GetString()!);
        Keep("bootstrap key", File.ReadAllText(Path.Combine(service.Data, "secrets", "api-key")).Trim());
        var connection = Settings(service);
        if (connection.Password is { Length: > 0 } password) Keep("database password", password);
        await GiveLocations(http);
        await GiveChannels(http);
        await GivePeople(http, service);
        await GiveHosts(http, service);
        await Reveal(http);
        // Agents lease with passwords, and a failing one says why.
        var policy = (await Get(http, "policies")).AsArray()[0]!["id"]!.GetValue<string>();
        var before = (await Get(http, "points")).AsArray().Count;
        (await http.PostAsync($"policies/{policy}/run", null)).EnsureSuccessStatusCode();
        await service.Until(async () => (await Get(http, "points")).AsArray().Count > before, "another backup is complete");

        var places = new List<(string Name, string Text)>
        {
            ("the database", await Dump(connection)),
            ("the metrics", await http.GetStringAsync("metrics")),
            ("a process", watch.Seen()),
        };
        places.AddRange(await Bundle(http));
        places.AddRange(Directory.EnumerateFiles(Path.Combine(service.Data, "log"), "*", SearchOption.AllDirectories)
            .Select(file => ($"the log {Path.GetFileName(file)}", File.ReadAllText(file))));
        var found = new List<string>();
        foreach (var (name, secret) in _secrets)
            foreach (var form in Forms(secret))
                foreach (var (place, text) in places)
                    if (text.Contains(form, StringComparison.OrdinalIgnoreCase)) found.Add($"the {name} is in {place}, as {form[..6]}…");

        Assert.True(_secrets.Count >= 22, $"{_secrets.Count} secrets");
        Assert.Contains(places, place => place.Name.StartsWith("the log", StringComparison.Ordinal) && place.Text.Length > 0);
        Assert.Contains("secret_sealed", places[0].Text, StringComparison.Ordinal);
        Assert.Contains(service.Data, places[2].Text, StringComparison.Ordinal);
        Assert.Empty(found.Distinct());
    }

    [Fact]
    public void A_planted_secret_is_found_in_each_form()
    {
        const string secret = "pass/word+with ünusual&letters";
        var bytes = Encoding.UTF8.GetBytes(secret);
        string[] texts = [$"x{secret}y", $"\\x{Convert.ToHexStringLower(bytes)}", Uri.EscapeDataString(secret),
            .. new[] { "", "a", "ab", "abc" }.Select(before
                => Convert.ToBase64String([.. Encoding.UTF8.GetBytes(before), .. bytes, 1, 2]))];

        Assert.All(texts, text => Assert.Contains(Forms(secret), form => text.Contains(form, StringComparison.OrdinalIgnoreCase)));
    }

    void Keep(string name, string secret)
    {
        Assert.True(secret.Length >= 12, $"{name} is too short to be looked for");
        _secrets[name] = secret;
    }

    /// <summary>A secret that is made here: with letters that are written differently in addresses and in JSON.</summary>
    string Plant(string name)
    {
        var made = $"{name.Replace(' ', '-')}/+&{Guid.NewGuid():N}";
        Keep(name, made);
        return made;
    }

    /// <summary>As it is, in hex, as a part of any base64, and as addresses write it.</summary>
    static IEnumerable<string> Forms(string secret)
    {
        yield return secret;
        yield return Uri.EscapeDataString(secret);
        yield return JsonEncodedText.Encode(secret).ToString();
        var bytes = Encoding.UTF8.GetBytes(secret);
        yield return Convert.ToHexStringLower(bytes);
        for (var offset = 0; offset < 3; offset++)
        {
            // The letters that these bytes alone decide, wherever the text around them begins.
            var text = Convert.ToBase64String([.. new byte[offset], .. bytes]);
            var (first, last) = ((offset * 8 + 5) / 6, (offset + bytes.Length) * 8 / 6);
            yield return text[first..last];
            yield return text[first..last].Replace('+', '-').Replace('/', '_');
        }
    }

    async Task GiveLocations(HttpClient http)
    {
        var nowhere = $"http://127.0.0.1:{FreePorts.Find(1)}";
        var far = await Post(http, "locations", new JsonObject
        {
            ["name"] = "Far",
            ["kind"] = "S3",
            ["address"] = $"s3:{nowhere}/bucket",
            ["credentials"] = new JsonObject
            {
                ["accessKey"] = Plant("access key"),
                ["secretKey"] = Plant("secret key"),
                ["sessionToken"] = Plant("session token"),
            },
        });
        // What cannot be reached is told, and what it was asked with is not.
        using var tested = await http.PostAsync($"locations/{far["id"]}/test", JsonContent.Create(new JsonObject()));
        using var replaced = await http.PutAsJsonAsync($"locations/{far["id"]}/credentials", new JsonObject
        {
            ["credentials"] = new JsonObject { ["accessKey"] = Plant("second access key"), ["secretKey"] = Plant("second secret key") },
            ["skipTest"] = true,
        });
        Assert.True(replaced.IsSuccessStatusCode, await replaced.Content.ReadAsStringAsync());
        await Post(http, "locations", new JsonObject
        {
            ["name"] = "Azure",
            ["kind"] = "Azure",
            ["address"] = "azure:backups:/",
            ["credentials"] = new JsonObject { ["account"] = "account", ["accountKey"] = PlantBase64("account key") },
        });
        // Its agent looks for it, and tells that nothing is there.
        await Post(http, "repositories", new JsonObject
        {
            ["name"] = "Theirs",
            ["host"] = (await Get(http, "hosts")).AsArray()[0]!["id"]!.GetValue<string>(),
            ["address"] = $"rest:{nowhere}/",
            ["password"] = Plant("password of an adopted repository"),
            ["credentials"] = new JsonObject { ["user"] = "backup", ["userPassword"] = Plant("rest password") },
        });
    }

    string PlantBase64(string name)
    {
        var made = Convert.ToBase64String(Encoding.UTF8.GetBytes(Plant(name)));
        Keep($"{name} as it is given", made);
        return made;
    }

    async Task GiveChannels(HttpClient http)
    {
        var port = FreePorts.Find(1);
        var mail = await Post(http, "channels", new JsonObject
        {
            ["name"] = "Mail",
            ["kind"] = "Email",
            ["settings"] = new JsonObject
            {
                ["smtpHost"] = "127.0.0.1",
                ["smtpPort"] = port,
                ["smtpUser"] = "backup",
                ["from"] = "b@example.org",
                ["to"] = new JsonArray("a@example.org"),
            },
            ["secret"] = Plant("mail password"),
        });
        var hook = await Post(http, "channels", new JsonObject
        {
            ["name"] = "Hook",
            ["kind"] = "Webhook",
            ["settings"] = new JsonObject { ["url"] = $"http://127.0.0.1:{port}/{Uri.EscapeDataString(Plant("webhook address"))}" },
            ["secret"] = Plant("webhook secret"),
        });
        foreach (var channel in new[] { mail, hook })
        {
            using var tested = await http.PostAsync($"channels/{channel["id"]}/test", null);
            await tested.Content.ReadAsStringAsync();   // that it did not work is told here, and written down
        }
    }

    async Task GivePeople(HttpClient http, Service service)
    {
        var password = Plant("user password");
        await Post(http, "users", new JsonObject
        {
            ["name"] = "ann",
            ["oneTimePassword"] = password,
            ["roles"] = new JsonArray(new JsonObject { ["role"] = "Viewer" }),
        });
        var invited = await Post(http, "users", new JsonObject
        {
            ["name"] = "ben",
            ["invite"] = true,
            ["roles"] = new JsonArray(new JsonObject { ["role"] = "Viewer" }),
        });
        Keep("invitation", invited["link"]!.GetValue<string>().Split('=')[^1]);
        Keep("API key", (await Post(http, "keys", new JsonObject
        {
            ["name"] = "ci",
            ["roles"] = new JsonArray(new JsonObject { ["role"] = "Viewer" }),
            ["days"] = 10,
        }))["key"]!.GetValue<string>());
        using var visitor = new HttpClient { BaseAddress = service.Console };
        using var wrong = await visitor.PostAsJsonAsync("api/v1/session", new { name = "ann", password = Plant("mistyped password") });
        using var session = await visitor.PostAsJsonAsync("api/v1/session", new { name = "ann", password });
        Assert.True(session.IsSuccessStatusCode, await session.Content.ReadAsStringAsync());
        Keep("session cookie", session.Headers.GetValues("Set-Cookie").First().Split(';')[0].Split('=', 2)[1]);
        using var keyed = new HttpRequestMessage(HttpMethod.Get, "api/v1/items");
        keyed.Headers.TryAddWithoutValidation("Authorization", $"Bearer {Plant("wrong API key")}");
        using var refused = await visitor.SendAsync(keyed);
    }

    /// <summary>What of a token is chosen by chance: between the kind and the fingerprint of the authority, which is public.</summary>
    static string Chance(string token) => token[(token.IndexOf('_', StringComparison.Ordinal) + 1)..token.LastIndexOf('_')];

    async Task GiveHosts(HttpClient http, Service service)
    {
        var join = (await Post(http, "join-tokens", new JsonObject()))["token"]!.GetValue<string>();
        Keep("join token", Chance(join));
        Keep("node token", Chance((await Post(http, "nodes/tokens", new JsonObject()))["token"]!.GetValue<string>()));
        var file = service.At("passwords");
        File.WriteAllText(file, $"127.0.0.1:*:*:*:{Plant("password of an item's database")}\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var host = (await Get(http, "hosts")).AsArray()[0]!["id"]!.GetValue<string>();
        var closed = FreePorts.Find(1);
        foreach (var (kind, member) in new[] { ("PostgreSql", "postgreSql"), ("MariaDb", "mariaDb") })
        {
            using var looked = await http.PostAsJsonAsync($"hosts/{host}/check-source", new JsonObject
            {
                ["kind"] = kind,
                [member] = new JsonObject { ["host"] = "127.0.0.1", ["port"] = closed, ["user"] = "backup", ["passwordFile"] = file },
            });
        }
    }

    async Task Reveal(HttpClient http)
    {
        var repository = (await Get(http, "repositories")).AsArray()[0]!["id"]!.GetValue<string>();
        var revealed = await Post(http, $"repositories/{repository}/reveal", new JsonObject());
        Keep("repository password", revealed["password"]!.GetValue<string>());
        var kit = (await Post(http, "recovery-kit", new JsonObject()))["text"]!.GetValue<string>();
        foreach (var line in kit.Split('\n').Select(line => line.Trim()))
        {
            if (line.StartsWith("Recovery key", StringComparison.Ordinal)) Keep("recovery key", line.Split(' ')[^1]);
            if (line.StartsWith("printf %s ", StringComparison.Ordinal)) Keep("sealing key", line.Split(' ')[2]);
        }
        Keep("recovery key without hyphens", _secrets["recovery key"].Replace("-", "", StringComparison.Ordinal));
        Keep("sealing key in hex", Convert.ToHexStringLower(Convert.FromBase64String(_secrets["sealing key"])));
    }

    static async Task<JsonNode> Post(HttpClient http, string path, JsonObject body)
    {
        using var answer = await http.PostAsJsonAsync(path, body);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {text}");
        return JsonNode.Parse(text)!;
    }

    static async Task<JsonNode> Get(HttpClient http, string path) => JsonNode.Parse(await http.GetStringAsync(path))!;

    static NpgsqlConnectionStringBuilder Settings(Service service)
    {
        using var settings = JsonDocument.Parse(File.ReadAllText(Path.Combine(service.Data, "appsettings.json")));
        return new NpgsqlConnectionStringBuilder(
            settings.RootElement.GetProperty("Database").GetProperty("ConnectionString").GetString());
    }

    static async Task<string> Dump(NpgsqlConnectionStringBuilder connection)
    {
        var start = new ProcessStartInfo("pg_dump", ["--host", connection.Host!, "--username", connection.Username!,
            "--column-inserts", connection.Database!])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (connection.Port > 0) start.Environment["PGPORT"] = FormattableString.Invariant($"{connection.Port}");
        start.Environment["PGPASSWORD"] = connection.Password;
        using var dump = Process.Start(start)!;
        var errors = dump.StandardError.ReadToEndAsync();
        var text = await dump.StandardOutput.ReadToEndAsync();
        await dump.WaitForExitAsync();
        Assert.True(dump.ExitCode == 0, await errors);
        return text;
    }

    static async Task<List<(string Name, string Text)>> Bundle(HttpClient http)
    {
        using var answer = await http.PostAsync("support-bundle", null);
        answer.EnsureSuccessStatusCode();
        using var zip = new ZipArchive(await answer.Content.ReadAsStreamAsync());
        var texts = new List<(string, string)>();
        foreach (var entry in zip.Entries)
        {
            using var reader = new StreamReader(entry.Open());
            texts.Add(($"the bundle's {entry.Name}", await reader.ReadToEndAsync()));
        }
        return texts;
    }

    /// <summary>Reads the command line and the environment of every process again and again. PostgreSQL's own tools are given a password in
    /// PGPASSWORD, which is how they take one; nobody but their user can read that, and it is in no process list.</summary>
    sealed class ProcessWatch : IDisposable
    {
        static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(20);

        readonly CancellationTokenSource _stop = new();
        readonly HashSet<string> _seen = new(StringComparer.Ordinal);
        readonly Lock _gate = new();
        readonly Task _work;

        public ProcessWatch() => _work = Task.Run(Work);

        public string Seen()
        {
            lock (_gate) return string.Join('\n', _seen);
        }

        async Task Work()
        {
            using var timer = new PeriodicTimer(LookEvery);
            try { while (await timer.WaitForNextTickAsync(_stop.Token)) Look(); }
            catch (OperationCanceledException) { return; }   // the test is over
        }

        void Look()
        {
            var own = FormattableString.Invariant($"/proc/{Environment.ProcessId}");
            foreach (var folder in Directory.EnumerateDirectories("/proc", "*").Where(name => char.IsAsciiDigit(name[6]) && name != own))
                foreach (var file in (string[])["cmdline", "environ"])
                    if (Read($"{folder}/{file}") is { Length: > 0 } text && !text.Contains("PGPASSWORD", StringComparison.Ordinal))
                        lock (_gate) _seen.Add(text);
        }

        static string? Read(string path)
        {
            try { return File.ReadAllText(path); }
            // It ended meanwhile, or is somebody else's.
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return null; }
        }

        public void Dispose()
        {
            _stop.Cancel();
            _work.GetAwaiter().GetResult();
            _stop.Dispose();
        }
    }
}
