import logging

from mmengine.logging import MMLogger

from effnet_dense.engine.console import quieten_console


def test_lists_go_to_the_file_alone(tmp_path, capsys):
    file = tmp_path / 'run.log'
    logger = MMLogger('test_console', logger_name='test_console', log_file=str(file))
    quieten_console(logger)
    lines = (
        'paramwise_options -- backbone.layers.0.bn.weight:weight_decay=0.0',
        'neck.conv is duplicate. It is skipped since bypass_duplicate=True',
        '\n------\nSystem environment:\n    sys.platform: linux',
        'Config:\nmodel = dict()',
        'Hooks will be executed in the following order:\nbefore_run',
    )
    for line in lines:
        logger.info(line)
    logger.info('Epoch(train) [1][5/25] loss: 1.0')
    logger.log(logging.WARNING, 'a warning about Config: files')
    printed = capsys.readouterr()
    shown = printed.out + printed.err
    assert 'Epoch(train) [1][5/25]' in shown
    assert 'a warning' in shown
    for line in lines:
        assert line not in shown
        assert line in file.read_text(encoding='utf-8')


def test_no_log_has_a_password(tmp_path, capsys):
    file = tmp_path / 'run.log'
    logger = MMLogger('test_passwords', logger_name='test_passwords', log_file=str(file))
    quieten_console(logger)
    logger.info('load from %s', 'https://user:secret@host/x.pth')
    logger.info("Config:\nload_from = 'https://user:secret@host/x.pth'")
    printed = capsys.readouterr()
    assert 'https://host/x.pth' in file.read_text(encoding='utf-8')
    assert 'secret' not in file.read_text(encoding='utf-8') + printed.out + printed.err
